/** Guards that a worker which must end does so though its primary is stopped, busy, or never has a successor. */
import { expect, test } from 'vitest';
import { ANSWER_MS, ASK_AGAIN_MS, Asking } from '../../internal/supervisor/worker/successor_requests';
import { TestClock } from '../support/fleet_world';

function asking({ patienceMs = 60_000, connected = true } = {}) {
  const clock = new TestClock();
  const log: string[] = [];
  const primary = { connected };
  const asks = new Asking(patienceMs, {
    clock,
    send: (reason) => {
      if (primary.connected) log.push(`${clock.now()} ${reason}`);
      return primary.connected;
    },
  });
  return { clock, log, primary, asks, alone: () => void log.push(`${clock.now()} alone`) };
}

test('nobody answers: alone, once', () => {
  const { clock, log, asks, alone } = asking();
  expect(asks.ask('SIGTERM', alone)).toBe(true);
  expect(asks.ask('SIGINT')).toBe(true);
  clock.pass(100_000);
  expect(log).toEqual(['0 SIGTERM', '0 SIGINT', `${ANSWER_MS} alone`]);
  expect([asks.ask('again', alone), clock.waiting]).toEqual([false, 0]);
});

test('it answers, and is stopped later: asked again, then alone', () => {
  const { clock, log, asks, alone } = asking();
  asks.ask('SIGTERM', alone);
  clock.pass(10);
  asks.noted();
  clock.pass(ASK_AGAIN_MS);
  asks.noted();
  asks.noted();
  clock.pass(100_000);
  expect(log).toEqual(['0 SIGTERM', `${10 + ASK_AGAIN_MS} SIGTERM`, `${10 + 2 * ASK_AGAIN_MS} SIGTERM`, `${10 + 2 * ASK_AGAIN_MS + ANSWER_MS} alone`]);
});

test('it answers always, and never has a successor: alone when patience ends', () => {
  const { clock, log, asks, alone } = asking({ patienceMs: 50_000 });
  asks.ask('SIGTERM', alone);
  for (let ms = 0; ms < 60_000; ms += 100) {
    clock.pass(100);
    asks.noted();
  }
  expect(log.at(-1)).toBe('50000 alone');
  expect(clock.waiting).toBe(0);
});

test('the channel is gone when it asks again: alone at once', () => {
  const { clock, log, primary, asks, alone } = asking();
  asks.ask('SIGTERM', alone);
  asks.noted();
  primary.connected = false;
  clock.pass(ASK_AGAIN_MS);
  expect(log.at(-1)).toBe(`${ASK_AGAIN_MS} alone`);
});

test('the order to leave comes: never alone; nobody to ask: false', () => {
  const { clock, log, asks, alone } = asking();
  asks.ask('SIGTERM', alone);
  asks.over();
  asks.noted();
  clock.pass(100_000);
  expect([log, clock.waiting]).toEqual([['0 SIGTERM'], 0]);
  expect(asking({ connected: false }).asks.ask('SIGTERM', alone)).toBe(false);
});
