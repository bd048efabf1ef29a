/**
 * Loads that go on when a connection fails, and count: failures by kind, connections that nobody answers, and which
 * process served each. The loads of modes.ts end the run at the first failure; these are for peers of any kind, and
 * for measurements in which workers die.
 *
 * Every answer is that of servers/plain.js: {"pid":123,"id":"7"}.
 *
 * Used by  bench/load/main.ts
 * Never    runs longer than its window and `patience`: a connection that is open then counts as hung
 */
import { exchange } from './client';
import { Latencies, type LatencySummary } from './latencies';

export interface TolerantWindow extends LatencySummary {
  /** Answered connections. */
  readonly answered: number;
  /** From the begin of the window until the last connection had ended, or was given up. */
  readonly seconds: number;
  /** How many failed, by the reason: "ECONNRESET", "no answer", … */
  readonly failed: Readonly<Record<string, number>>;
  /** How many had neither answer nor end when the load gave up. */
  readonly hung: number;
  /** For each whole second of the window: answers by the pid that gave them. */
  readonly perSecond: readonly Readonly<Record<string, number>>[];
}

interface Load {
  readonly port: number;
  readonly seconds: number;
  /** Seconds that the last connections may take. */
  readonly patience?: number;
}

export interface TolerantClosed extends Load {
  readonly clients: number;
}

export interface TolerantOpen extends Load {
  /** Connections per second. */
  readonly rate: number;
}

const PATIENCE = 10;
/** The most connections that may be open at a time: arrivals beyond it count as failed, since the client has no more ports or memory for them. */
const MOST_OPEN = 12_000;
const NAMES: Readonly<Record<number, string>> = { [-104]: 'ECONNRESET', [-111]: 'ECONNREFUSED', [-32]: 'EPIPE', [-110]: 'ETIMEDOUT', [-99]: 'EADDRNOTAVAIL' };

/** `clients` connections at a time: each opens its next connection when its last has ended, well or not. */
export function tolerantClosed({ clients, ...load }: TolerantClosed): Promise<TolerantWindow> {
  return counted(load, (begin, connect, ended) => {
    let running = clients;
    const next = (): void => connect(performance.now(), () => {
      if (performance.now() - begin < load.seconds * 1000) next();
      else if (--running === 0) ended();
    });
    for (let client = 0; client < clients; client++) next();
  });
}

/** `rate` connections per second, whatever the server does. Latency counts from the moment at which each should have begun. */
export function tolerantOpen({ rate, ...load }: TolerantOpen): Promise<TolerantWindow> {
  return counted(load, (begin, connect, ended) => {
    const total = Math.round(rate * load.seconds);
    let started = 0;
    let done = 0;
    const tick = (): void => {
      const due = Math.min(total, Math.floor(((performance.now() - begin) / 1000) * rate));
      while (started < due) connect(begin + (started++ / rate) * 1000, () => { if (++done === total) ended(); });
      if (started < total) setTimeout(tick, 1);
    };
    tick();
  });
}

let ids = 0;

function counted(
  { port, seconds, patience = PATIENCE }: Load,
  run: (begin: number, connect: (from: number, then: () => void) => void, ended: () => void) => void,
): Promise<TolerantWindow> {
  return new Promise((resolve) => {
    const latencies = new Latencies();
    const failed: Record<string, number> = {};
    const open = new Set<() => void>();
    const perSecond = Array.from({ length: Math.max(1, Math.floor(seconds)) }, (): Record<string, number> => ({}));
    let answered = 0;
    let over = false;
    const begin = performance.now();
    const fail = (reason: string): void => { failed[reason] = (failed[reason] ?? 0) + 1; };
    const note = (text: string, now: number): boolean => {
      const answers = [...text.matchAll(/\{"pid":(\d+),"id":"\d+"\}/g)];
      for (const [, pid = ''] of answers) {
        const second = perSecond[Math.floor((now - begin) / 1000)];
        if (second !== undefined) second[pid] = (second[pid] ?? 0) + 1;
      }
      return answers.length > 0;
    };
    const finish = (): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      const hung = open.size;
      for (const giveUp of open) giveUp();
      resolve({ answered, seconds: (performance.now() - begin) / 1000, failed, hung, perSecond, ...latencies.summary() });
    };
    const timer = setTimeout(finish, (seconds + patience) * 1000);
    run(begin, (from, then) => {
      if (over) return;
      if (open.size >= MOST_OPEN) {
        fail(`not tried, ${MOST_OPEN} connections were open`);
        return then();
      }
      const request = `GET /pid?id=${++ids} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
      let done = false;
      const giveUp = exchange({ port, request, text: true }, (failure, text) => {
        done = true;
        open.delete(giveUp);
        const now = performance.now();
        const heard = note(text, now);
        if (heard) {
          answered++;
          latencies.add(now - from);
        } else if (failure === null) fail('no answer of the app');
        else fail(typeof failure === 'number' ? NAMES[failure] ?? `errno ${failure}` : 'closed without an answer');
        // Not at once: a failure that needs no turn of the event loop would be a loop without end.
        if (failure === null) then();
        else setImmediate(then);
      });
      if (!done) open.add(giveUp);
    }, finish);
  });
}
