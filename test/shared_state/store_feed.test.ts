/**
 * A watch over a store that hints each change once, and never again: whenever the hint comes (before, during or after a question,
 * in a pause, while the program has too much that it has not taken), the watch gets the change without another hint or a beat.
 */
import { expect, test } from 'vitest';
import type { MachineClock } from '../../internal/clock';
import type { Batch } from '../../internal/shared_state/protocol';
import type { SharedStore } from '../../internal/shared_state/store/contract';
import { StoreFeed } from '../../internal/shared_state/store/feed';
import { seeded } from '../support/seeded';

const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
const turns = async (count: number): Promise<void> => { while (count-- > 0) await turn(); };

test('random orders of changes, hints, answers and what the program takes: the watch has everything in the end', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const below = seeded(seed * 104_729);
    const chance = (percent: number): boolean => below(100) < percent;
    /** Calls back now, in a microtask, or some turns later. */
    const later = async (): Promise<void> => {
      if (chance(30)) return;
      if (chance(50)) await null;
      await turns(below(4));
    };
    const isNoisy = chance(30);
    const keys = new Map<string, number>();
    let history: { readonly key: string; readonly version: number }[] = [];
    let forgotten = 0;
    let version = 0;
    const answer = async <Value>(value: () => Value): Promise<Value> => {
      if (isNoisy) void feed.pull(); // It hints whenever it is asked: the feed pauses.
      const early = chance(50) ? { value: value() } : null;
      await later();
      return early === null ? value() : early.value;
    };
    const store = {
      changes: (_prefix: string, since = version, most: number) => answer(() => {
        if (since < forgotten) return undefined;
        const events = history.filter((one) => one.version > since).slice(0, most);
        return { events: events.map((one) => ({ ...one, text: '1' })), version: events.length === most ? events.at(-1)?.version : version };
      }),
      list: () => answer(() => ({ entries: [...keys].map(([key, at]) => ({ key, version: at, text: '1' })), version })),
    } as unknown as SharedStore;
    const clock: MachineClock = {
      now: () => 0, soon: (call) => void setImmediate(call),
      at: (_time, call) => {
        let isOver = false;
        void turns(8).then(() => { if (!isOver) call(); });
        return () => { isOver = true; };
      },
    };
    /** What the watch knows: each key with its version. */
    const known = new Map<string, number>();
    let last = 0;
    const take = (batch: Batch): void => {
      if (batch.reset !== undefined) known.clear();
      for (const event of batch.events) known.set(event.key, event.version);
      expect([seed, batch.version >= last]).toEqual([seed, true]);
      last = batch.version;
      void later().then(() => feed.consumed(batch.batch));
    };
    const feed: StoreFeed = new StoreFeed(store, clock, { op: 'watch', watch: 1, prefix: '', beat: false }, {
      post: take, answered: () => undefined, failed: (_feed, error) => { throw error; },
    });
    const write = (count: number): void => {
      for (let at = 0; at < count; at++) {
        const key = `k${below(50)}`;
        keys.set(key, ++version);
        history.push({ key, version });
        void later().then(() => feed.pull());
      }
      if (!chance(10)) return;
      forgotten = Math.max(forgotten, version - below(200));
      history = history.filter((one) => one.version > forgotten);
    };
    write(below(20));
    const opened = feed.open(chance(30) ? 'now' : undefined);
    write(below(3));
    const began = await opened;
    const before = new Set([...keys].filter(([, at]) => at <= began).map(([key]) => key));
    await later();
    feed.begin();
    for (let round = below(16); round > 0; round--) {
      write(chance(15) ? below(700) : below(4));
      await turns(below(3));
    }
    await turns(below(40)); // A pause may have begun meanwhile.
    write(1);
    for (let round = 0; round < 300 && last < version; round++) await turn();
    // A watch from 'now' on does not know what was there before.
    const missing = [...keys].filter(([key, at]) => known.get(key) !== at && !(before.has(key) && at <= began));
    expect([seed, last >= version || version === began, missing]).toEqual([seed, true, []]);
    feed.close();
  }
});
