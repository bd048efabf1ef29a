/**
 * A process's own side: sends calls, settles each once, and keeps its watches going from one
 * connection with the server to the next.
 *
 * Owns     the pending calls (with timer and abort listener of each) and the open watches
 * Used by  api.ts and what it gives out; worker.ts and primary.ts, which connect it
 * States   apart ── welcome ──► together ── closed ──► apart;   either ── end ──► ended
 * Keeps    1. a call is settled exactly once: by its answer, its deadline, its signal, or the loss of
 *             the connection; what was sent and not answered says `maybeDone`
 *          2. calls made apart wait, and are sent in their order when there is a welcome
 *          3. calls of one turn leave as one message
 *          4. a lock that is granted to a call which nobody waits for any more is given back
 */
import type { Clock } from './clock';
import type { CallOptions, Watcher } from './contracts';
import { readServerMessage, type Answer, type Batch, type Call, type ClientMessage, type Limits, type Operation, type Result } from './protocol';
import { defaultLimits, fromRefusal, stateError } from './values';

interface Pending {
  readonly call: Call;
  sent: boolean;
  settle(error: unknown, result?: Result): void;
}

/** The longest wait there is: it keeps a primary alive while it waits for a lock. */
const FOREVER = 2 ** 52;

/** One process's connection with the shared state. */
export class StateClient {
  readonly clock: Clock;
  limits: Limits = defaultLimits;
  readonly #send: (message: ClientMessage) => void;
  readonly #hold: boolean;
  readonly #timeoutMs: number;
  readonly #pending = new Map<number, Pending>();
  /** Locks that nobody waits for any more: a grant is given back. */
  readonly #abandoned = new Map<number, string>();
  readonly #watchers = new Map<number, Watcher>();
  readonly #lost = new Set<(error: Error) => void>();
  #outbox: Call[] = [];
  #state: 'apart' | 'together' | 'ended' = 'apart';
  #reason: Error = stateError('ERR_SHARED_STATE_CLOSED', 'The shared state was closed');
  #lastId = 0;
  #flushing = false;

  /** `send` must not throw. `hold`: pending calls keep the process alive. */
  constructor(clock: Clock, send: (message: ClientMessage) => void, options: { hold: boolean; timeoutMs: number }) {
    this.clock = clock;
    this.#send = send;
    this.#hold = options.hold;
    this.#timeoutMs = options.timeoutMs;
  }

  get ended(): boolean {
    return this.#state === 'ended';
  }

  hello(): void {
    if (this.#state === 'apart') this.#send({ act: 'hello' });
  }

  // ── calls ──────────────────────────────────────────────────────────────────────────────────────

  call(operation: Operation, { signal, timeoutMs = this.#timeoutMs }: CallOptions = {}): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (this.#state === 'ended') return reject(this.#reason);
      if (this.#pending.size >= this.limits.pendingCalls) {
        return reject(stateError('ERR_SHARED_STATE_LIMIT',
          `${this.#pending.size} calls are not answered yet, as many as limits.pendingCalls allows`, { limit: 'pendingCalls' }));
      }
      const id = ++this.#lastId;
      const call: Call = { ...operation, id };
      const abort = (): void => this.#giveUp(id, signal?.reason);
      const cancel = timeoutMs === Infinity && !this.#hold ? undefined
        : this.clock.at(this.clock.now() + Math.min(timeoutMs, FOREVER), () => this.#giveUp(id, undefined, timeoutMs), this.#hold);
      signal?.addEventListener('abort', abort);
      this.#pending.set(id, {
        call,
        sent: false,
        settle: (error, result) => {
          this.#pending.delete(id);
          cancel?.();
          signal?.removeEventListener('abort', abort);
          if (result === undefined) reject(error);
          else resolve(result);
        },
      });
      if (this.#state === 'together') this.#post(call);
    });
  }

  /** The deadline or the signal came first. */
  #giveUp(id: number, reason: unknown, timeoutMs = 0): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    const { call, sent } = pending;
    if (!sent) this.#outbox = this.#outbox.filter((waiting) => waiting !== call);
    if (sent && call.op === 'lock') {
      this.#abandoned.set(id, call.name);
      this.#send({ act: 'cancel', id });
    }
    if (reason !== undefined) return pending.settle(reason);
    const what = !sent ? 'The primary, which has to call sharedState() too, did not open the shared state'
      : call.op === 'lock' ? `The lock '${call.name}' was not free` : `The primary did not answer '${call.op}'`;
    pending.settle(stateError('ERR_SHARED_STATE_TIMEOUT', `${what} within ${timeoutMs} ms`, { maybeDone: sent && call.op !== 'lock' }));
  }

  #post(call: Call): void {
    this.#outbox.push(call);
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    const calls = this.#outbox;
    if (calls.length === 0 || this.#state !== 'together') return;
    this.#outbox = [];
    for (const { id } of calls) {
      const pending = this.#pending.get(id);
      if (pending !== undefined) pending.sent = true;
    }
    this.#send({ act: 'calls', calls });
  }

  // ── watches, and others who want to hear of the connection's end ───────────────────────────────

  /** Registers a watch now and after each new connection; returns what ends it. */
  watch(watcher: Watcher): () => void {
    const watch = ++this.#lastId;
    if (this.#state === 'ended') {
      queueMicrotask(() => watcher.ended(this.#reason));
      return () => undefined;
    }
    this.#watchers.set(watch, watcher);
    if (this.#state === 'together') this.#openWatch(watch, watcher);
    return () => {
      const [current] = [...this.#watchers].find(([, one]) => one === watcher) ?? [];
      if (current === undefined) return;
      this.#watchers.delete(current);
      if (this.#state !== 'together') return;
      this.call({ op: 'unwatch', watch: current }).catch(() => undefined); // Lost with the connection, and the watch too.
    };
  }

  /** The application has taken everything up to this batch. */
  consumed({ watch, batch, ask }: Batch): void {
    if (ask && this.#state === 'together') this.#send({ act: 'consumed', watch, batch });
  }

  /** Calls back when what the server holds for this process is lost; returns what takes that back. */
  onLost(callback: (error: Error) => void): () => void {
    this.#lost.add(callback);
    return () => this.#lost.delete(callback);
  }

  #openWatch(watch: number, watcher: Watcher): void {
    const { prefix, since, beat } = watcher;
    this.call({ op: 'watch', watch, prefix, beat, ...(since !== undefined && { since }) }, { timeoutMs: Infinity }).then(
      ({ version = 0 }) => watcher.opened(version),
      (error: Error & { maybeDone?: boolean }) => {
        // The connection's end is told elsewhere, and may not be the watch's.
        if (error.maybeDone !== true && this.#watchers.delete(watch)) watcher.ended(error);
      },
    );
  }

  // ── what comes ─────────────────────────────────────────────────────────────────────────────────

  receive(value: unknown): void {
    const message = readServerMessage(value);
    if (message === null || this.#state === 'ended') return;
    switch (message.act) {
      case 'announce': return this.hello();
      case 'welcome': return this.#welcome(message.limits);
      case 'answers':
        for (const answer of message.answers) this.#answered(answer);
        return;
      case 'events':
        for (const batch of message.batches) this.#watchers.get(batch.watch)?.batch(batch);
        return;
      case 'closed':
        return this.#lose(stateError('ERR_SHARED_STATE_CLOSED', 'The primary closed the shared state', { maybeDone: true }));
      default: return message satisfies never;
    }
  }

  #welcome(limits: Limits): void {
    if (this.#state !== 'apart') return;
    this.limits = limits;
    this.#state = 'together';
    for (const { call } of this.#pending.values()) this.#post(call);
    // Under new numbers: what is said about batches of an earlier connection means nothing to this one.
    for (const [watch, watcher] of [...this.#watchers]) {
      const renewed = ++this.#lastId;
      this.#watchers.delete(watch);
      this.#watchers.set(renewed, watcher);
      this.#openWatch(renewed, watcher);
    }
  }

  #answered(answer: Answer): void {
    const abandoned = this.#abandoned.get(answer.id);
    if (abandoned !== undefined) {
      this.#abandoned.delete(answer.id);
      const token = 'result' in answer ? answer.result.token : undefined;
      if (token !== undefined) this.call({ op: 'release', name: abandoned, token }).catch(() => undefined); // Lost: free as well.
      return;
    }
    const pending = this.#pending.get(answer.id);
    if ('error' in answer) pending?.settle(fromRefusal(answer.error));
    else pending?.settle(null, answer.result);
  }

  /** The server has forgotten this process; there may be another one later. */
  #lose(error: Error): void {
    if (this.#state !== 'together') return;
    this.#state = 'apart';
    this.#outbox = [];
    this.#abandoned.clear();
    for (const pending of [...this.#pending.values()]) {
      if (pending.sent) pending.settle(error);
    }
    for (const callback of [...this.#lost]) callback(error);
  }

  /**
   * For good: the channel is gone, or the user wants no more. `orderly`: as was to be expected, so
   * that a loop over a watch just ends; it would turn a farewell into a crash otherwise.
   */
  end(code: 'ERR_SHARED_STATE_DISCONNECTED' | 'ERR_SHARED_STATE_CLOSED', message: string, orderly: boolean): void {
    if (this.#state === 'ended') return;
    this.#lose(stateError(code, message, { maybeDone: true }));
    this.#state = 'ended';
    this.#reason = stateError(code, message);
    for (const pending of [...this.#pending.values()]) pending.settle(this.#reason);
    for (const watcher of [...this.#watchers.values()]) watcher.ended(orderly ? undefined : this.#reason);
    this.#watchers.clear();
    this.#lost.clear();
  }

  /** Ends it, and lets the server know. */
  close(): void {
    this.#flush();
    if (this.#state === 'together') this.#send({ act: 'bye' });
    this.end('ERR_SHARED_STATE_CLOSED', 'The shared state was closed in this process', true);
  }
}
