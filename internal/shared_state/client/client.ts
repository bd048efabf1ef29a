/**
 * A process's own side: its connection with the server, its calls, and its watches, which go on from
 * one connection to the next.
 *
 * Owns     the open watches; the table of unanswered calls
 * Used by  api.ts and what it gives out; worker.ts and server/primary.ts, which connect it
 * States   apart ── welcome ──► together ── closed ──► apart;   either ── end ──► ended
 * Keeps    1. `connection` changes when what the server holds for this process is lost: its leases,
 *             its watches, its places in line
 *          2. each open watch has one number on the server, a new one for each connection
 *          3. the application hears of a change (`onLost`) when every table knows of it already: it
 *             may call, close or open whatever it likes in there
 */
import { queueMicrotask } from '../../builtins';
import type { MachineClock } from '../../clock';
import { readServerMessage } from '../guards';
import type { Batch, ClientMessage, Limits, OperationName, OperationOf, ResultOf } from '../protocol';
import { isAborted, onAbort } from './abort_signals';
import { PendingCalls, type CallOptions } from './pending_calls';
import { stateError } from '../values';

/** A watch or a replica, as the client sees it. */
export interface Watcher {
  readonly prefix: string;
  /** The server shall send a batch each second even if nothing happens. */
  readonly beat: boolean;
  /** The version after which a new connection continues; undefined: with a reset. Read once per connection. */
  readonly since: number | 'now' | undefined;
  /** The server has begun to watch, at this version. */
  opened(version: number): void;
  batch(batch: Batch): void;
  /** No batch will follow. Without an error if the watch ended as planned. */
  ended(error: Error | undefined): void;
}

/** A watch, and its number on the server, which changes with each connection. */
interface Registration {
  number: number;
  readonly watcher: Watcher;
}

/** One process's connection with the shared state. */
export class StateClient {
  readonly clock: MachineClock;
  /** What waits in here keeps the process alive. */
  readonly hold: boolean;
  readonly #send: (message: ClientMessage) => void;
  readonly #calls: PendingCalls;
  readonly #watches = new Map<number, Registration>();
  readonly #lost = new Set<() => void>();
  #state: 'apart' | 'together' | { readonly ended: Error } = 'apart';
  #connection = 0;

  /** `send` must not throw. */
  constructor(clock: MachineClock, send: (message: ClientMessage) => void, options: { hold: boolean; timeoutMs: number }) {
    this.clock = clock;
    this.hold = options.hold;
    this.#send = send;
    this.#calls = new PendingCalls(clock, send, options);
  }

  get ended(): boolean {
    return typeof this.#state === 'object';
  }

  get limits(): Limits {
    return this.#calls.limits;
  }

  get connection(): number {
    return this.#connection;
  }

  hello(): void {
    if (this.#state === 'apart') this.#send({ act: 'hello' });
  }

  /** Asks the server; fulfilled with what `take` makes of the result, as it comes. */
  call<Op extends OperationName, Outcome>(operation: OperationOf<Op> & { readonly op: Op }, options: CallOptions, take: (result: ResultOf<Op>) => Outcome): Promise<Outcome> {
    return this.#calls.ask(operation, options, take);
  }

  // ── watches, and others who want to hear of the connection's end ───────────────────────────────

  /** Registers a watch now and after each new connection; returns what ends it. */
  watch(watcher: Watcher): () => void {
    if (typeof this.#state === 'object') {
      const { ended } = this.#state;
      queueMicrotask(() => watcher.ended(ended));
      return () => undefined;
    }
    const registration: Registration = { number: this.#calls.nextId(), watcher };
    this.#watches.set(registration.number, registration);
    if (this.#state === 'together') this.#openWatch(registration);
    return () => {
      if (!this.#watches.delete(registration.number) || this.#state !== 'together') return;
      // Where this is refused the connection is lost, and the watch with it.
      this.call({ op: 'unwatch', watch: registration.number }, {}, () => undefined).catch(() => undefined);
    };
  }

  /** The application has taken everything up to this batch. */
  consumed({ watch, batch, ask }: Batch): void {
    if (ask && this.#state === 'together' && this.#watches.has(watch)) this.#send({ act: 'consumed', watch, batch });
  }

  /** Calls back when what the server holds for this process is lost, and at the end; returns what takes that back. */
  onLost(callback: () => void): () => void {
    this.#lost.add(callback);
    return () => this.#lost.delete(callback);
  }

  /** Waits so many milliseconds; less if the signal is aborted or the connection is lost. */
  pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (isAborted(signal) || this.ended) return resolve();
      const done = (): void => {
        stopTimer();
        stopListening();
        forget();
        resolve();
      };
      const stopListening = onAbort(signal, done);
      const stopTimer = this.clock.at(this.clock.now() + ms, done, this.hold);
      const forget = this.onLost(done);
    });
  }

  #openWatch({ number, watcher }: Registration): void {
    const { prefix, since, beat } = watcher;
    this.call({ op: 'watch', watch: number, prefix, beat, ...(since !== undefined && { since }) }, { timeoutMs: Infinity },
      ({ version }) => watcher.opened(version)).catch((error: Error & { maybeDone?: boolean }) => {
      // The connection's end is told elsewhere, and may not be the watch's.
      if (error.maybeDone !== true && this.#watches.delete(number)) watcher.ended(error);
    });
  }

  // ── what comes ─────────────────────────────────────────────────────────────────────────────────

  receive(value: unknown): void {
    const message = readServerMessage(value);
    if (message === null || this.ended) return;
    switch (message.act) {
      case 'announce': return this.hello();
      case 'welcome': return this.#welcome(message.limits);
      case 'answers':
        if (this.#state !== 'together') return;
        for (const answer of message.answers) this.#calls.answered(answer);
        return;
      case 'events':
        if (this.#state !== 'together') return; // Of a client that this process had before.
        for (const batch of message.batches) this.#watches.get(batch.watch)?.watcher.batch(batch);
        return;
      case 'closed':
        return this.#lose(stateError('ERR_SHARED_STATE_CLOSED', 'The primary closed the shared state', { maybeDone: true }));
      default: return message satisfies never;
    }
  }

  #welcome(limits: Limits): void {
    if (this.#state !== 'apart') return;
    this.#state = 'together';
    this.#calls.connected(limits);
    // Under new numbers: what is said about batches of an earlier connection means nothing to this one.
    const registrations = [...this.#watches.values()];
    this.#watches.clear();
    for (const registration of registrations) {
      registration.number = this.#calls.nextId();
      this.#watches.set(registration.number, registration);
      this.#openWatch(registration);
    }
  }

  /** The server has forgotten this process; there may be another one later. */
  #lose(error: Error): void {
    if (this.#state !== 'together') return;
    this.#state = 'apart';
    this.#connection++;
    this.#calls.lost(error);
    this.#tellLost();
  }

  /** Calls the application's abort listeners, in the end: the last thing that is done here. */
  #tellLost(): void {
    for (const callback of [...this.#lost]) callback();
  }

  /**
   * For good: the channel is gone, or the user wants no more. `orderly`: as was to be expected, so
   * that a loop over a watch just ends; it would turn a farewell into a crash otherwise.
   */
  end(code: 'ERR_SHARED_STATE_DISCONNECTED' | 'ERR_SHARED_STATE_CLOSED', message: string, orderly: boolean): void {
    if (this.ended) return;
    const reason = stateError(code, message);
    this.#state = { ended: reason };
    this.#connection++;
    this.#calls.lost(stateError(code, message, { maybeDone: true }));
    this.#calls.end(reason);
    const registrations = [...this.#watches.values()];
    this.#watches.clear();
    for (const { watcher } of registrations) watcher.ended(orderly ? undefined : reason);
    this.#tellLost();
    this.#lost.clear();
  }

  /** Ends it, and lets the server know; also one whose welcome is still under way, since it would miss our next hello. */
  close(): void {
    this.#calls.flush();
    if (!this.ended) this.#send({ act: 'bye' });
    this.end('ERR_SHARED_STATE_CLOSED', 'The shared state was closed in this process', true);
  }
}
