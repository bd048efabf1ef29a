/**
 * The calls of one process that are not answered: each is settled once, by its answer, its deadline,
 * its signal, or the loss of the connection.
 *
 * Owns     the timer and the abort listener of each call
 * Used by  client.ts
 * States   of a call: waiting ── flush ──► sent ── answer ──► settled
 *                        └─ deadline, signal ──► settled │
 *                        sent ── deadline, signal ──► given up ── answer, loss ──► forgotten
 * Keeps    1. a call is settled exactly once; what was sent and not answered says `maybeDone`
 *          2. calls made apart wait, and are sent in their order when there is a connection. Those
 *             that concern what a connection holds (housekeeping) go with it
 *          3. calls of one turn leave together, in messages of about MESSAGE_BYTES
 *          4. a lock that is granted to a call which was given up is given back
 *          5. a call that was given up counts as unanswered until its answer comes, as it does in the primary
 *          6. `take` is called as the answer comes, before anything else that the same turn may bring
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

interface Pending {
  readonly call: Call;
  sent: boolean;
  readonly answered: (result: unknown) => void;
  readonly failed: (error: unknown) => void;
}

/** The longest wait there is: it keeps a primary alive while it waits for a lock. */
const FOREVER = 2 ** 52;

/** A message of calls is sent when it has about so many bytes: one of many large values would be refused. */
const MESSAGE_BYTES = 1024 * 1024;

/** The table of unanswered calls. */
export class PendingCalls {
  limits: Limits = defaultLimits;
  readonly #clock: MachineClock;
  readonly #send: (message: ClientMessage) => void;
  readonly #hold: boolean;
  readonly #timeoutMs: number;
  readonly #pending = new Map<number, Pending>();
  /** Sent, and nobody waits for the answer; the name of the lock where it was one. */
  readonly #givenUp = new Map<number, string | undefined>();
  readonly #outbox = new Set<Call>();
  #state: 'apart' | 'together' | { readonly over: Error } = 'apart';
  #lastId = 0;
  #flushing = false;

  /** `send` must not throw. `hold`: pending calls keep the process alive. */
  constructor(clock: MachineClock, send: (message: ClientMessage) => void, options: { hold: boolean; timeoutMs: number }) {
    this.#clock = clock;
    this.#send = send;
    this.#hold = options.hold;
    this.#timeoutMs = options.timeoutMs;
  }

  /** A number that no call and no watch has had. */
  nextId(): number {
    return ++this.#lastId;
  }

  /** Asks the primary; fulfilled with what `take` makes of the result. */
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
          `${unanswered} calls are not answered yet, as many as limits.pendingCalls allows`, { limit: 'pendingCalls' }));
      }
      const id = this.nextId();
      const call: Call = { ...operation, id };
      const stopListening = signal && onAbort(signal, () => this.#giveUp(id, () => abortReason(signal)));
      const stopTimer = timeoutMs === Infinity && !this.#hold ? undefined
        : this.#clock.at(this.#clock.now() + Math.min(timeoutMs, FOREVER), () => this.#giveUp(id, () => this.#late(id, timeoutMs)), this.#hold);
      const settled = (): void => {
        this.#pending.delete(id);
        stopTimer?.();
        stopListening?.();
      };
      this.#pending.set(id, {
        call,
        sent: false,
        answered: (result) => {
          settled();
          try {
            if (!isResultOf(operation.op, result)) throw stateError('ERR_SHARED_STATE_PROTOCOL', `The primary's answer to '${operation.op}' makes no sense`);
            resolve(take(result));
          } catch (error) {
            reject(error);
          }
        },
        failed: (error) => {
          settled();
          reject(error);
        },
      });
      if (this.#state === 'together') this.#post(call);
    });
  }

  /** The deadline or the signal came first. */
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
      : call.op === 'lock' ? `The lock '${call.name}' was not free` : `The primary did not answer '${call.op}'`;
    return stateError('ERR_SHARED_STATE_TIMEOUT', `${what} within ${timeoutMs} ms`, { maybeDone: sent && call.op !== 'lock' });
  }

  #post(call: Call): void {
    this.#outbox.add(call);
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.flush());
  }

  /** Sends what waits to be sent. */
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

  answered(answer: Answer<unknown>): void {
    const { id } = answer;
    if (this.#givenUp.has(id)) {
      const name = this.#givenUp.get(id);
      this.#givenUp.delete(id);
      if (name === undefined || 'error' in answer || !isResultOf('lock', answer.result)) return;
      const { token } = answer.result;
      if (token === undefined) return;
      this.ask({ op: 'release', name, token }, {}, () => undefined).catch(() => undefined); // Lost with the connection: free as well.
      return;
    }
    const pending = this.#pending.get(id);
    if (pending === undefined || !pending.sent) return;
    if ('error' in answer) pending.failed(fromRefusal(answer.error));
    else pending.answered(answer.result);
  }

  /** There is a server: what has waited for it is sent. */
  connected(limits: Limits): void {
    this.limits = limits;
    this.#state = 'together';
    for (const { call } of this.#pending.values()) this.#post(call);
  }

  /** The server has forgotten this process. */
  lost(error: Error): void {
    if (this.#state !== 'together') return;
    this.#state = 'apart';
    this.#outbox.clear();
    this.#givenUp.clear();
    for (const { call, sent, failed } of [...this.#pending.values()]) {
      if (sent || isHousekeeping(call.op)) failed(error);
    }
  }

  /** Nothing is asked any more; `reason` is what all that waits, and all that comes, is rejected with. */
  end(reason: Error): void {
    this.#state = { over: reason };
    for (const { failed } of [...this.#pending.values()]) failed(reason);
  }
}
