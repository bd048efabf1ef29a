/**
 * An outbox on a pipe that takes a part, or nothing: whatever the program does in between, everything comes, in order, each
 * completion is called once, and each `false` is followed by `drained`. The pipe behaves as libuv's: see `FakePipe`.
 */
import { afterEach, expect, test, vi } from 'vitest';
import { performance } from '../../internal/builtins';
import { codecFor } from '../../internal/channel/framing';
import { Outbox, type Completion } from '../../internal/channel/outbox';
import { kLastWriteWasAsync, streamBaseState, type NativeHandle, type NativePipe } from '../../internal/native/bindings';
import { seeded } from '../support/seeded';

interface Request { oncomplete(status: number): void }

/** As libuv: a write is tried at once if none waits; what the kernel does not take waits in the order of the writes. One with a handle always completes later. */
class FakePipe {
  /** What the kernel has. */
  taken = '';
  /** The numbers of the handles that the kernel has, each with the length of what it had before. */
  readonly handles: (readonly [handle: unknown, at: number])[] = [];
  /** Bytes that the kernel takes before it is full. */
  room = Infinity;
  #queue: { readonly request: Request; text: string; handle: unknown }[] = [];
  #error = 0;

  get writeQueueSize(): number {
    return this.#queue.reduce((sum, { text }) => sum + text.length, 0);
  }

  get isWaiting(): boolean {
    return this.#queue.length > 0;
  }

  writeUtf8String(request: Request, text: string, handle: unknown): number {
    if (this.#error !== 0) return this.#error;
    const one = { request, text, handle };
    if (this.writeQueueSize === 0) this.#take(one);
    const isAsync = one.text !== '' || handle !== undefined;
    if (isAsync) this.#queue.push(one);
    (streamBaseState as Record<number, number>)[kLastWriteWasAsync] = isAsync ? 1 : 0;
    return 0;
  }

  writev(request: Request, pieces: readonly string[]): number {
    return this.writeUtf8String(request, pieces.filter((_piece, at) => at % 2 === 0).join(''), undefined);
  }

  /** The kernel has room for so many bytes more; the writes that it has completely by then are completed. */
  give(bytes: number): void {
    this.room += bytes;
    for (const one of this.#queue) {
      this.#take(one);
      if (one.text !== '') break;
    }
    const done = this.#queue.filter(({ text }) => text === '');
    this.#queue = this.#queue.filter(({ text }) => text !== '');
    for (const { request } of done) separately(() => request.oncomplete(0));
  }

  /** The other end is gone: what waits fails, and so does each later write. */
  break(): void {
    this.#error = -32;
    const failed = this.#queue;
    this.#queue = [];
    for (const { request } of failed) separately(() => request.oncomplete(-32));
  }

  #take(one: { text: string; handle: unknown }): void {
    const takes = Math.min(this.room, one.text.length);
    if (takes === 0) return;
    if (one.handle !== undefined) this.handles.push([one.handle, this.taken.length]);
    one.handle = undefined;
    this.taken += one.text.slice(0, takes);
    one.text = one.text.slice(takes);
    this.room -= takes;
  }
}

/** What Node does with an exception of one callback: the next one is called all the same. */
function separately(call: () => void): void {
  try {
    call();
  } catch (error) {
    if ((error as Error).message !== 'of the app') throw error;
  }
}

const HIGH_WATER = 131_072;
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
let now = 1000;
afterEach(() => { vi.restoreAllMocks(); });

/** An outbox whose sink counts, and calls `drained`. */
function world(drained: () => void = () => undefined) {
  const pipe = new FakePipe();
  const seen = { pending: 0, drains: 0, failed: 0 };
  const outbox = new Outbox(pipe as unknown as NativePipe, codecFor('json'), {
    failed: () => { seen.failed++; },
    pending: (change) => { seen.pending += change; },
    drained: () => {
      seen.drains++;
      drained();
    },
  });
  return { pipe, outbox, seen };
}

const frame = (length: number): string => `"${'x'.repeat(length - 3)}"`;

// A program that waited for 'drain' waited for ever: the second write took it for its own that there was room.
test.each([
  ['a part of what waits has gone, and somebody else writes a little', (outbox: Outbox) => void outbox.write(frame(10), {}), {}],
  ['a callback of ours writes a little when it has gone', () => undefined, 'writes'],
] as const)('write() has returned false, and then %s: drained is called all the same', async (_what, then, callback) => {
  const { pipe, outbox, seen } = world();
  pipe.room = 1000;
  const completion: Completion = callback === 'writes' ? { callback: () => void outbox.write(frame(10), {}) } : {};
  expect(outbox.write(frame(200_000), completion)).toBe(false);
  pipe.give(100_000);
  then(outbox);
  await turn();
  pipe.give(Infinity);
  await turn();
  expect([pipe.taken.length, seen.pending, seen.drains]).toEqual([200_010, 0, 1]);
  outbox.close();
});

test('random orders of writes, handles, turns, room in the pipe and callbacks that write, throw or close: nothing stays behind', async () => {
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  for (let seed = 1; seed <= 25; seed++) {
    const below = seeded(seed * 7919);
    /** True in so many of 100 cases. */
    const chance = (percent: number): boolean => below(100) < percent;
    const { pipe, outbox, seen } = world(() => { if (chance(50)) write(below(4)); });
    const sent = { text: '', handles: [] as (readonly [unknown, number])[] };
    const calls = { due: 0, callback: 0, release: 0, appDue: 0, app: 0 };
    /** The tick of a callback of the app writes the group, so there is none in some turns. */
    let hasApp = true;
    /** Since the last `drained`, a write has returned false. */
    let falseAt = -1;
    let isClosed = false;
    let writes = 0;
    const write = (count: number): void => {
      for (let at = 0; at < count; at++) {
        const text = frame(chance(1) ? 3 + below(200_000) : 10 + below(40));
        calls.due++;
        if (hasApp) calls.appDue++;
        let hasRoom: boolean;
        const completion: Completion = {
          appCallback: hasApp ? outbox.addCallback(() => {
            calls.app++;
            if (chance(5) && writes < 3000) write(1);
          }) : undefined,
          callback: () => {
            calls.callback++;
            if (chance(5) && writes < 3000) write(1);
            if (isCompleting && below(1000) === 0) close();
            if (isCompleting && chance(5)) throw new Error('of the app');
          },
          release: () => { calls.release++; },
        };
        writes++;
        if (!isClosed) sent.text += `${text}\n`;
        if (chance(4)) {
          const handle = { fd: writes };
          if (!isClosed) sent.handles.push([handle, sent.text.length - text.length - 1]);
          hasRoom = outbox.writeNow(text, handle as unknown as NativeHandle, completion);
        } else {
          hasRoom = outbox.write(text, completion);
        }
        expect(hasRoom).toBe(outbox.unwritten < HIGH_WATER);
        if (!hasRoom) falseAt = seen.drains;
      }
    };
    const close = (): void => {
      isClosed = true;
      outbox.close();
    };
    let isCompleting = false;
    const give = (bytes: number): void => {
      isCompleting = true;
      pipe.give(bytes);
      isCompleting = false;
    };
    pipe.room = below(5000);
    for (let round = 0; round < 6; round++) {
      hasApp = chance(50);
      if (chance(30)) outbox.newTurn();
      write(below(2) * below(300));
      if (chance(50)) process.nextTick(write, below(3));
      for (let part = 0; part < 3; part++) {
        await null;
        write(below(3));
        if (chance(30)) give(below(100_000));
        if (chance(20)) now += below(3);
      }
      await turn();
      give(below(50_000)); // Also completes the writes with handles that the kernel has taken.
      await turn();
      if (!pipe.isWaiting) expect([seed, round, pipe.taken.length]).toEqual([seed, round, sent.text.length]);
    }
    const isCut = chance(20);
    if (isCut) pipe.break();
    if (chance(30)) close();
    for (let round = 0; round < 4; round++) {
      give(Infinity);
      await turn();
    }
    expect([seed, calls, seen.pending]).toEqual([seed, { ...calls, callback: calls.due, release: calls.due, app: calls.appDue }, 0]);
    expect(sent.text.startsWith(pipe.taken)).toBe(true);
    if (isCut) continue;
    expect([seed, pipe.taken.length, pipe.handles]).toEqual([seed, sent.text.length, sent.handles]);
    if (falseAt !== -1) expect([seed, seen.drains > falseAt]).toEqual([seed, true]);
    outbox.close();
  }
});
