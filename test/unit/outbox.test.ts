/** How many frames are written one by one: a flood over many channels of a process is joined as one over a single channel is. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { performance } from '../../internal/builtins';
import { codecFor } from '../../internal/channel/framing';
import { seeded } from '../support/seeded';
import { Outbox } from '../../internal/channel/outbox';
import type { NativePipe } from '../../internal/native/bindings';

/** A pipe that takes everything at once. */
class FakePipe {
  readonly writeQueueSize = 0;
  writes = 0;
  writeUtf8String(): number {
    this.writes++;
    return 0;
  }
}

/** It counts the frames. */
class CountingPipe extends FakePipe {
  frames = 0;
  override writeUtf8String(_request?: unknown, text = ''): number {
    this.frames += text.split('\n').length - 1;
    return 0;
  }
}

/** The time, in ms. */
let now = 1000;
beforeEach(() => { vi.spyOn(performance, 'now').mockImplementation(() => now); });
afterEach(() => { vi.restoreAllMocks(); });

const sink = { failed: () => undefined, pending: () => undefined, drained: () => undefined };
const FRAMES = 40;
const TURN_MS = 5;

/** Each of `count` channels writes FRAMES frames in each turn of TURN_MS. Returns the writes of each channel in the last turn. */
async function flood(count: number, turns: number): Promise<number[]> {
  const pipes = Array.from({ length: count }, () => new FakePipe());
  const outboxes = pipes.map((pipe) => new Outbox(pipe as unknown as NativePipe, codecFor('json'), sink));
  let before: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    before = pipes.map(({ writes }) => writes);
    for (let frame = 0; frame < FRAMES; frame++) for (const outbox of outboxes) outbox.write('"x"', {});
    await new Promise((resolve) => setImmediate(resolve));
    now += TURN_MS;
  }
  for (const outbox of outboxes) outbox.close();
  return pipes.map(({ writes }, at) => writes - (before[at] as number));
}

test('one channel with 8 frames in each millisecond writes each of them at once', async () => {
  expect(await flood(1, 30)).toEqual([FRAMES]);
});

test('sixteen such channels share what a process may write so: most frames are joined', async () => {
  for (const writes of await flood(16, 30)) expect(writes).toBeLessThan(FRAMES / 4);
});

test('a channel that rests takes no share from another', async () => {
  const idle = Array.from({ length: 15 }, () => new Outbox(new FakePipe() as unknown as NativePipe, codecFor('json'), sink));
  for (const outbox of idle) outbox.write('"x"', {});
  await new Promise((resolve) => setImmediate(resolve));
  expect(await flood(1, 60)).toEqual([FRAMES]);
  for (const outbox of idle) outbox.close();
});

test('many short turns add up: channels that write little at a time have their whole allowance back after a while', async () => {
  const pipes = Array.from({ length: 4 }, () => new FakePipe());
  const outboxes = pipes.map((pipe) => new Outbox(pipe as unknown as NativePipe, codecFor('json'), sink));
  for (let turn = 0; turn < 2000; turn++) {
    if (turn % 10 === 0) for (const outbox of outboxes) outbox.write('"x"', {});
    now += 0.1; // Each share of REFILL in this time is less than one frame.
    for (const outbox of outboxes) outbox.newTurn();
  }
  const [pipe, outbox] = [pipes[0] as FakePipe, outboxes[0] as Outbox];
  const before = pipe.writes;
  for (let frame = 0; frame < 90; frame++) outbox.write('"x"', {});
  expect(pipe.writes - before).toBe(90);
  for (const one of outboxes) one.close();
});

test('whenever a frame is written, all are with the kernel when the event loop turns: also one that follows the end of a flood in the same turn', async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const below = seeded(seed);
    const next = (): number => below(1000) / 1000;
    const pipe = new CountingPipe();
    const outbox = new Outbox(pipe as unknown as NativePipe, codecFor('json'), sink);
    let written = 0;
    const write = (count: number): void => {
      for (let at = 0; at < count; at++, written++) outbox.write('"x"', {});
    };
    for (let turn = 0; turn < 5; turn++) {
      if (next() < 0.3) outbox.newTurn();
      write(Math.floor(next() * next() * 900));
      if (next() < 0.7) process.nextTick(write, Math.floor(next() * 3));
      for (let part = 0; part < 3; part++) {
        await null;
        if (next() < 0.5) write(Math.floor(next() * 3));
        if (next() < 0.2) outbox.newTurn();
        if (next() < 0.3) now += next() * 2;
      }
      await new Promise((resolve) => setImmediate(resolve));
      expect([seed, turn, pipe.frames]).toEqual([seed, turn, written]);
    }
    outbox.close();
  }
});
