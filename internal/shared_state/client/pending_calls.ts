/**
 * The calls of one process that are not answered. Each ends once: by its answer, its timeout, its signal, or the loss
 * of the connection.
 *
 * Owns     the timer and the abort listener of each call
 * Used by  client.ts
 * States   of a call: waiting ── flush ──► sent ── answer, loss ──► done
 *                       └── timeout, signal ──► done
 *                     sent ── timeout, signal ──► given up ── answer, loss ──► forgotten
 * Keeps    1. the promise of a call is settled once. `maybeDone` is true if the call was sent and not answered
 *          2. calls that are made without a connection wait, and are sent in order when there is one. Housekeeping
 *             calls (renew, release, unwatch …) are rejected when the connection is lost, because what they refer to
 *             is lost with it
 *          3. the calls of one turn are sent together, in messages of about MESSAGE_BYTES
 *          4. if a lock is granted to a call that was given up, it is released
 *          5. a call that was given up counts as unanswered until its answer comes, as it does in the primary
 *          6. `take` is called while the answer is handled, before anything else that happens in the same turn
 */
import { queueMicrotask } from '../../builtins';
import type { MachineClock } from '../../clock';
import { ownOptions } from '../../own_options';
import { isResultOf } from '../guards';
import { isHousekeeping, mostPending, type Answer, type Call, type ClientMessage, type Limits, type OperationName, type OperationOf, type ResultOf } from '../protocol';
import { abortReason, isAborted, onAbort } from './abort_signals';
import { defaultLimits, fromRefusal, stateError } from '../values';

/** How long a caller waits for the answer of a call. */
export interface CallOptions {
  /** Abort it to wait no longer: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which the call rejects with ERR_SHARED_STATE_TIMEOUT; Infinity: never. */
  readonly timeoutMs?: number | undefined;
}

/** One call. Exactly one of `answered` and `failed` is called, once. */
interface Pending {
  readonly call: Call;
  sent: boolean;
  readonly answered: (result: unknown) => void;
  readonly failed: (error: unknown) => void;
}

/** Milliseconds, more than any process lives. In a primary a call without a timeout has a timer too, because only the timer keeps the process alive. */
const FOREVER = 2 ** 52;

/**
 * Bytes of values after which a message of calls is sent and another begins. One message with many large values could
 * go beyond the channel's `limits.messageBytes`.
 */
const MESSAGE_BYTES = 1024 * 1024;

/** The pending calls of one process. */
export class PendingCalls {
  limits: Limits = defaultLimits;
  readonly #clock: MachineClock;
  readonly #send: (message: ClientMessage) => void;
  readonly #hold: boolean;
  readonly #timeoutMs: number;
  readonly #server: string;
  readonly #pending = new Map<number, Pending>();
  /** Calls that were sent and whose callers wait no longer, by id; for a 'lock' call the name of the lock. */
  readonly #givenUp = new Map<number, string | undefined>();
  /** Calls that will be sent at the end of this turn. */
  readonly #outbox = new Set<Call>();
  #state: 'apart' | 'together' | { readonly over: Error } = 'apart';
  #lastId = 0;
  #flushing = false;

  /** `send`: must not throw. `hold`: pending calls keep the process alive. `timeoutMs`: for calls that set none. `server`: who answers, for error texts. */
  constructor(clock: MachineClock, send: (message: ClientMessage) => void, options: { hold: boolean; timeoutMs: number; server?: string }) {
    this.#clock = clock;
    this.#send = send;
    this.#hold = options.hold;
    this.#timeoutMs = options.timeoutMs;
    this.#server = options.server ?? 'The primary';
  }

  /** A number that no call and no watch of this process has had. */
  nextId(): number {
    return ++this.#lastId;
  }

  /** Makes a call. Resolves to what `take` returns for the result. */
  ask<Op extends OperationName, Outcome>(
    operation: OperationOf<Op> & { readonly op: Op }, options: CallOptions, take: (result: ResultOf<Op>) => Outcome,
  ): Promise<Outcome> {
    const { signal, timeoutMs = this.#timeoutMs } = ownOptions(options, ['signal', 'timeoutMs']);
    return new Promise((resolve, reject) => {
      if (signal !== undefined && isAborted(signal)) return reject(abortReason(signal));
      if (typeof this.#state === 'object') return reject(this.#state.over);
      const unanswered = this.#pending.size + this.#givenUp.size;
      if (unanswered >= (isHousekeeping(operation.op) ? mostPending(this.limits) : this.limits.pendingCalls)) {
        return reject(stateError('ERR_SHARED_STATE_LIMIT',
          `${unanswered} calls of this process are not answered yet, as many as limits.pendingCalls allows`, { limit: 'pendingCalls' }));
      }
      const id = this.nextId();
      const call: Call = { ...operation, id };
      const stopListening = signal && onAbort(signal, () => this.#giveUp(id, () => abortReason(signal)));
      const stopTimer = timeoutMs === Infinity && !this.#hold ? undefined
        : this.#clock.at(this.#clock.now() + Math.min(timeoutMs, FOREVER), () => this.#giveUp(id, () => this.#late(id, timeoutMs)), this.#hold);
      const remove = (): void => {
        this.#pending.delete(id);
        stopTimer?.();
        stopListening?.();
      };
      this.#pending.set(id, {
        call,
        sent: false,
        answered: (result) => {
          remove();
          try {
            if (!isResultOf(operation.op, result)) throw stateError('ERR_SHARED_STATE_PROTOCOL', `${this.#server} has sent a malformed answer to '${operation.op}'`);
            resolve(take(result));
          } catch (error) {
            reject(error);
          }
        },
        failed: (error) => {
          remove();
          reject(error);
        },
      });
      if (this.#state === 'together') this.#post(call);
    });
  }

  /** The timeout or the signal came before the answer: the caller waits no longer. */
  #giveUp(id: number, reason: () => unknown): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    const { call, sent } = pending;
    const error = reason();
    this.#outbox.delete(call);
    if (sent) this.#givenUp.set(id, call.op === 'lock' ? call.name : undefined);
    pending.failed(error);
    if (sent && call.op === 'lock') this.#send({ act: 'cancel', id });
  }

  #late(id: number, timeoutMs: number): Error {
    const { call, sent } = this.#pending.get(id) as Pending;
    const what = !sent ? 'The primary, which has to call sharedState() too, did not open the shared state'
      : call.op === 'lock' ? `The lock '${call.name}' was not free` : `${this.#server} did not answer '${call.op}'`;
    return stateError('ERR_SHARED_STATE_TIMEOUT', `${what} within ${timeoutMs} ms`, { maybeDone: sent && call.op !== 'lock' });
  }

  #post(call: Call): void {
    this.#outbox.add(call);
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.flush());
  }

  /** Sends the calls of this turn. */
  flush(): void {
    this.#flushing = false;
    if (this.#state !== 'together') return;
    let calls: Call[] = [];
    let bytes = 0;
    const waiting = [...this.#outbox];
    this.#outbox.clear();
    for (const call of waiting) {
      const pending = this.#pending.get(call.id);
      if (pending !== undefined) pending.sent = true;
      calls.push(call);
      bytes += 'text' in call ? call.text.length : 0;
      if (bytes < MESSAGE_BYTES) continue;
      this.#send({ act: 'calls', calls });
      calls = [];
      bytes = 0;
    }
    if (calls.length > 0) this.#send({ act: 'calls', calls });
  }

  /** Handles an answer of the server. */
  answered(answer: Answer<unknown>): void {
    const { id } = answer;
    if (this.#givenUp.has(id)) {
      const name = this.#givenUp.get(id);
      this.#givenUp.delete(id);
      if (name === undefined || 'error' in answer || !isResultOf('lock', answer.result)) return;
      const { token } = answer.result;
      if (token === undefined) return;
      // The call fails if the connection is lost: then the primary has freed the lock.
      this.ask({ op: 'release', name, token }, {}, () => undefined).catch(() => undefined);
      return;
    }
    const pending = this.#pending.get(id);
    if (pending === undefined || !pending.sent) return;
    if ('error' in answer) pending.failed(fromRefusal(answer.error));
    else pending.answered(answer.result);
  }

  /** The server has welcomed this process: sends the calls that have waited for a connection. */
  connected(limits: Limits): void {
    this.limits = limits;
    this.#state = 'together';
    for (const { call } of this.#pending.values()) this.#post(call);
  }

  /** The connection is lost: rejects the calls that were sent on it. */
  lost(error: Error): void {
    if (this.#state !== 'together') return;
    this.#state = 'apart';
    this.#outbox.clear();
    this.#givenUp.clear();
    for (const { call, sent, failed } of [...this.#pending.values()]) {
      if (sent || isHousekeeping(call.op)) failed(error);
    }
  }

  /** Ends for good: rejects all pending and all later calls with `reason`. */
  end(reason: Error): void {
    this.#state = { over: reason };
    for (const { failed } of [...this.#pending.values()]) failed(reason);
  }
}
