/**
 * The two ways to load a server.
 *
 * Closed: a fixed number of clients, each of which opens its next connection when its last one has ended. This
 * measures capacity. Open: connections arrive at a fixed rate, whatever the server does. The latency of each
 * counts from the moment at which it should have arrived, so a server that stalls cannot hide it.
 *
 * Used by  bench/load/main.ts
 * Never    runs longer than its window and PATIENCE
 */
import { exchange, type Target } from './client';
import { Latencies, type LatencySummary } from './latencies';

export interface Window extends LatencySummary {
  readonly connections: number;
  /** From the begin of the window until the last connection had ended. */
  readonly seconds: number;
}

export interface ClosedLoad extends Target {
  readonly seconds: number;
  readonly clients: number;
}

export interface OpenLoad extends Target {
  readonly seconds: number;
  /** Connections per second. */
  readonly rate: number;
}

/** Milliseconds that the last connections of a window may take. */
const PATIENCE = 15_000;
/** The most connections that may be open at a time. If a server leaves more than these unanswered, the load fails. */
const MOST_OPEN = 12_000;

/** The closed load: `clients` connections at a time. */
export function closedLoad({ seconds, clients, ...target }: ClosedLoad): Promise<Window> {
  return measured((latencies, begin, ended, fail) => {
    let running = clients;
    const next = (): void => {
      const opened = performance.now();
      exchange(target, (failure) => {
        if (failure !== null) return fail(failure);
        const now = performance.now();
        latencies.add(now - opened);
        if (now - begin < seconds * 1000) next();
        else if (--running === 0) ended(now);
      });
    };
    for (let client = 0; client < clients; client++) next();
  }, seconds);
}

/** The open load: `rate` connections per second. */
export function openLoad({ seconds, rate, ...target }: OpenLoad): Promise<Window> {
  return measured((latencies, begin, ended, fail) => {
    const total = Math.round(rate * seconds);
    let started = 0;
    let done = 0;
    const tick = (): void => {
      const due = Math.min(total, Math.floor(((performance.now() - begin) / 1000) * rate));
      while (started < due) {
        if (started - done > MOST_OPEN) return fail(`more than ${MOST_OPEN} connections wait at ${rate}/s`);
        const scheduled = begin + (started++ / rate) * 1000;
        exchange(target, (failure) => {
          if (failure !== null) return fail(failure);
          const now = performance.now();
          latencies.add(now - scheduled);
          if (++done === total) ended(now);
        });
      }
      if (started < total) setTimeout(tick, 1);
    };
    tick();
  }, seconds);
}

type Load = (latencies: Latencies, begin: number, ended: (now: number) => void, fail: (failure: number | string) => void) => void;

function measured(load: Load, seconds: number): Promise<Window> {
  return new Promise((resolve, reject) => {
    const latencies = new Latencies();
    const begin = performance.now();
    let connections = 0;
    const timer = setTimeout(() => reject(new Error(`the load did not end within ${PATIENCE} ms after its window`)), seconds * 1000 + PATIENCE);
    const counted = { add: (one: number) => { connections++; latencies.add(one); } } as Latencies;
    load(counted, begin, (now) => {
      clearTimeout(timer);
      resolve({ connections, seconds: (now - begin) / 1000, ...latencies.summary() });
    }, (failure) => {
      clearTimeout(timer);
      reject(new Error(`a connection failed: ${typeof failure === 'number' ? `errno ${failure}` : failure}`));
    });
  });
}
