/**
 * The client of the shared state in one process: the connection to the server, the calls, and the watches. Watches
 * continue when one connection is lost and another begins.
 *
 * Owns     the open watches; the table of pending calls
 * Used by  api.ts and the objects that it returns; worker.ts, server/primary.ts and store/open.ts, which connect it to
 *          the server; store/session.ts
 * States   apart ── welcome ──► together ── closed ──► apart;   either ── end ──► ended
 * Keeps    1. `connection` changes whenever the server may have dropped what it keeps for this process: its locks,
 *             its watches, its waiting calls
 *          2. an open watch has one number on the server, and another one on each new connection
 *          3. `onLost` calls back when all tables are up to date, because a callback may run code of the app, which
 *             may call, close or open anything
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

/** The client of one process. */
export class StateClient {
  readonly clock: MachineClock;
  /** Pending calls and pauses keep the process alive. */
  readonly hold: boolean;
  readonly #send: (message: ClientMessage) => void;
  readonly #calls: PendingCalls;
  readonly #watches = new Map<number, Registration>();
  readonly #lost = new Set<() => void>();
  #state: 'apart' | 'together' | { readonly ended: Error } = 'apart';
  #connection = 0;

  /** `send`: must not throw. `timeoutMs`: for calls that set none. `server`: who answers, for error texts. Default: 'The primary'. */
  constructor(clock: MachineClock, send: (message: ClientMessage) => void, options: { hold: boolean; timeoutMs: number; server?: string }) {
    this.clock = clock;
    this.hold = options.hold;
    this.#send = send;
    this.#calls = new PendingCalls(clock, send, options);
  }

  /** Is it ended for good? */
  get ended(): boolean {
    return typeof this.#state === 'object';
  }

  /** The limits of the server, or the defaults before the first `welcome`. */
  get limits(): Limits {
    return this.#calls.limits;
  }

  /** Another number for each connection. */
  get connection(): number {
    return this.#connection;
  }

  /** Asks the server for a connection. */
  hello(): void {
    if (this.#state === 'apart') this.#send({ act: 'hello' });
  }

  /** Makes a call. Resolves to what `take` returns for the result; `take` is called while the answer is handled. */
  call<Op extends OperationName, Outcome>(operation: OperationOf<Op> & { readonly op: Op }, options: CallOptions, take: (result: ResultOf<Op>) => Outcome): Promise<Outcome> {
    return this.#calls.ask(operation, options, take);
  }

  // ── watches, and the end of the connection ─────────────────────────────────────────────────────

  /** Begins a watch, on this connection and on each new one. Returns a function that ends it. */
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
      // If it fails the connection is lost, and the server has ended the watch.
      this.call({ op: 'unwatch', watch: registration.number }, {}, () => undefined).catch(() => undefined);
    };
  }

  /** The app has taken all events up to this batch. */
  consumed({ watch, batch, ask }: Batch): void {
    if (ask && this.#state === 'together' && this.#watches.has(watch)) this.#send({ act: 'consumed', watch, batch });
  }

  /** Calls back each time when a connection is lost, and when the client ends. Returns a function that cancels this. */
  onLost(callback: () => void): () => void {
    this.#lost.add(callback);
    return () => this.#lost.delete(callback);
  }

  /** Waits so many milliseconds, or until the signal is aborted or the connection is lost. */
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
      // `maybeDone`: the connection was lost. The watch goes on with the next one.
      if (error.maybeDone !== true && this.#watches.delete(number)) watcher.ended(error);
    });
  }

  // ── messages of the server ─────────────────────────────────────────────────────────────────────

  /** Handles one message of the server; ignores anything else. */
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
        if (this.#state !== 'together') return; // Sent to an earlier client of this process.
        for (const batch of message.batches) this.#watches.get(batch.watch)?.watcher.batch(batch);
        return;
      case 'closed':
        return this.lose(stateError('ERR_SHARED_STATE_CLOSED', 'The primary closed the shared state', { maybeDone: true }));
      default: return message satisfies never;
    }
  }

  #welcome(limits: Limits): void {
    if (this.#state !== 'apart') return;
    this.#state = 'together';
    this.#calls.connected(limits);
    // New numbers: a `consumed` for an earlier connection that is still on its way must not count for this one.
    const registrations = [...this.#watches.values()];
    this.#watches.clear();
    for (const registration of registrations) {
      registration.number = this.#calls.nextId();
      this.#watches.set(registration.number, registration);
      this.#openWatch(registration);
    }
  }

  /** The server has ended the watch of this number; no batch follows. */
  endWatch(number: number, error: Error): void {
    const registration = this.#watches.get(number);
    this.#watches.delete(number);
    registration?.watcher.ended(error);
  }

  /** The server has ended the session of this process. Another connection may follow. */
  lose(error: Error): void {
    if (this.#state !== 'together') return;
    this.#state = 'apart';
    this.#connection++;
    this.#calls.lost(error);
    this.#callLost();
  }

  /** Called last, because the callbacks call abort listeners of the app. */
  #callLost(): void {
    for (const callback of [...this.#lost]) callback();
  }

  /**
   * Ends the client for good: the channel has ended, or the app has closed the shared state. `orderly`: the app has
   * wanted this, so a `for await` over a watch ends without an error. Otherwise a planned end would be an exception.
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
    this.#callLost();
    this.#lost.clear();
  }

  /** Ends the client, and says bye to the server. Also before the welcome has come: the server would ignore the hello of a later client. */
  close(): void {
    this.#calls.flush();
    if (!this.ended) this.#send({ act: 'bye' });
    this.end('ERR_SHARED_STATE_CLOSED', 'The shared state was closed in this process', true);
  }
}
