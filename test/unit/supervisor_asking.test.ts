/** Guards that a worker which must end does end, though its primary is stopped, is busy, or never has a successor. */
import { expect, test } from 'vitest';
import { ANSWER_MS, REQUEST_AGAIN_MS, SuccessorRequests } from '../../internal/supervisor/worker/successor_requests';
import { TestClock } from '../support/fleet_world';

function worker({ patienceMs = 60_000, connected = true } = {}) {
  const clock = new TestClock();
  const log: string[] = [];
  const primary = { connected };
  const requests = new SuccessorRequests(patienceMs, {
    clock,
    send: (reason) => {
      if (primary.connected) log.push(`${clock.now()} ${reason}`);
      return primary.connected;
    },
  });
  return { clock, log, primary, requests, alone: () => void log.push(`${clock.now()} alone`) };
}

test('the primary never answers: the worker leaves by itself, once', () => {
  const { clock, log, requests, alone } = worker();
  expect(requests.request('SIGTERM', alone)).toBe(true);
  expect(requests.request('SIGINT')).toBe(true);
  clock.pass(100_000);
  expect(log).toEqual(['0 SIGTERM', '0 SIGINT', `${ANSWER_MS} alone`]);
  expect([requests.request('again', alone), clock.waiting, requests.isAnswered]).toEqual([false, 0, false]);
});

test('the primary answers and is stopped later: the request is sent again, then the worker leaves by itself', () => {
  const { clock, log, requests, alone } = worker();
  requests.request('SIGTERM', alone);
  clock.pass(10);
  requests.noted();
  clock.pass(REQUEST_AGAIN_MS);
  requests.noted();
  requests.noted();
  clock.pass(100_000);
  expect(log).toEqual(['0 SIGTERM', `${10 + REQUEST_AGAIN_MS} SIGTERM`, `${10 + 2 * REQUEST_AGAIN_MS} SIGTERM`, `${10 + 2 * REQUEST_AGAIN_MS + ANSWER_MS} alone`]);
});

test('the primary always answers but has no successor: the worker leaves by itself when patienceMs is over', () => {
  const { clock, log, requests, alone } = worker({ patienceMs: 50_000 });
  requests.request('SIGTERM', alone);
  for (let ms = 0; ms < 60_000; ms += 100) {
    clock.pass(100);
    requests.noted();
  }
  expect(log.at(-1)).toBe('50000 alone');
  expect([clock.waiting, requests.isAnswered]).toEqual([0, true]); // So its connections may move to other workers.
});

test('the channel is closed when the request is sent again: the worker leaves by itself at once', () => {
  const { clock, log, primary, requests, alone } = worker();
  requests.request('SIGTERM', alone);
  requests.noted();
  primary.connected = false;
  clock.pass(REQUEST_AGAIN_MS);
  expect(log.at(-1)).toBe(`${REQUEST_AGAIN_MS} alone`);
});

test('told to leave: it never leaves by itself. Without a primary: request() returns false', () => {
  const { clock, log, requests, alone } = worker();
  requests.request('SIGTERM', alone);
  requests.leaving();
  requests.noted();
  clock.pass(100_000);
  expect([log, clock.waiting]).toEqual([['0 SIGTERM'], 0]);
  expect(worker({ connected: false }).requests.request('SIGTERM', alone)).toBe(false);
});
