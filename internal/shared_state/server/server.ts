/**
 * The server of the shared state: the store, the locks, and a session for each process that uses them.
 *
 * It does each operation at once and completely, in the order in which the calls arrive. This order is what makes
 * the shared state linearizable.
 *
 * Owns     the store, the locks, the sessions with their feeds; one timer, for the earliest deadline of all
 * Used by  primary.ts, which gives each worker a session; proxy.ts, in a primary that replaces another one; tests, with a
 *          clock of their own
 * Uses     operations.ts on store.ts and locks.ts; session.ts, feed.ts, carry_over.ts
 * Never    throws because of what a client sends: it ignores a malformed message and refuses a malformed call
 * Never    keeps more for a process that does not read than the limits allow. From `unreadBytes` on its calls are
 *          refused and its events wait; from `pendingCalls` on its calls are refused. Our client counts its calls
 *          and does not send so many. A process that goes on to twice as many, and some more (`mostPending`),
 *          does not count: it is cut off, and gets no other session
 * States   of a session: unknown ── hello ──► known ── bye, end, cut off ──► unknown. Only the calls of a known
 *          session are done
 * Keeps    1. each call is answered once; after `end` nothing is sent to the session
 *          2. before an operation, every key and lease whose time is over is removed
 *          3. when a session ends, its locks, waiting calls and watches end before the next operation of anybody
 * Wire     see protocol.ts. The answers to one message are one message. Events leave in the next turn, so that all
 *          writes of one turn are one batch
 */
import type { MachineClock } from '../../clock';
import { readCall } from '../guards';
import { Feed } from './feed';
import { sizeOf } from './history';
import { Locks, type Grant, type Waiter } from './locks';
import { isHousekeeping, mostPending, type Answer, type Batch, type Call, type ClientMessage, type Limits, type OperationName, type Refusal, type ResultOf } from '../protocol';
import { operate } from './operations';
import { Session, type Send } from './session';
import { restoreSnapshot, takeSnapshot } from './carry_over';
import type { StateSnapshot } from './snapshot';
import { Store } from './store';
import { checkBytes, stateError, toRefusal } from '../values';

/** Milliseconds between two batches for a replica if nothing happens. Its `ageMs` grows up to this number while all is well. */
const BEAT_MS = 1000;

/** Estimated bytes of a `welcome`. */
const WELCOME_BYTES = 300;

/** Estimated bytes of a batch without its events. */
const BATCH_BYTES = 150;

/** The shared state. */
export class StateServer {
  readonly #clock: MachineClock;
  readonly #limits: Limits;
  readonly #store: Store;
  readonly #locks: Locks<Session>;
  readonly #sessions = new Set<Session>();
  /** Sessions with answers that are not sent yet. */
  readonly #answered = new Set<Session>();
  /** Watches that the present message has opened. */
  #opened: { readonly session: Session; readonly feed: Feed }[] = [];
  /** The events of this turn will be sent in the next. */
  #pumping = false;
  #closed = false;
  #timer: { at: number; cancel(): void } | null = null;
  #nextBeat = Infinity;
  readonly #cutOff: (session: Session) => void;

  /** `revision`: the number before the first version. `cutOff`: called when a process is cut off. */
  constructor(clock: MachineClock, limits: Limits, revision: number, cutOff: (session: Session) => void = () => undefined) {
    this.#clock = clock;
    this.#cutOff = cutOff;
    this.#limits = limits;
    this.#store = new Store(limits, revision);
    this.#locks = new Locks(limits, () => this.#store.nextRevision(), (waiter, grant) => this.#granted(waiter, grant));
  }

  /** Makes the session of a process. `send`: sends to it. */
  connect(id: number, send: Send): Session {
    const session = new Session(id, this.#limits, send, ({ feeds }) => {
      if (feeds.size > 0) this.#pumpSoon();
    });
    this.#sessions.add(session);
    return session;
  }

  /** Asks a process to say hello. */
  announce(session: Session): void {
    session.post({ act: 'announce' });
  }

  /** Handles one message of a process. */
  receive(session: Session, message: ClientMessage): void {
    if (this.#closed || !this.#sessions.has(session)) return;
    if (message.act === 'hello') {
      if (session.known) return; // Its own hello and the reply to `announce` may both come.
      session.known = true;
      session.post({ act: 'welcome', limits: this.#limits }, 1, WELCOME_BYTES);
      this.#endIfTooMuch(session);
      return;
    }
    if (!session.known) return;
    this.#expire();
    switch (message.act) {
      case 'calls':
        for (const value of message.calls) {
          if (!this.#call(session, value)) break;
        }
        break;
      case 'cancel':
        if (this.#locks.cancel(session, message.id)) this.#answer(session, { id: message.id, result: {} });
        break;
      case 'consumed':
        session.feeds.get(message.watch)?.consumed(message.batch);
        break;
      case 'bye':
        this.#leave(session);
        break;
      default:
        return message satisfies never;
    }
    this.#endStep();
  }

  /** The process is gone: frees its locks and ends its watches. */
  end(session: Session): void {
    if (!this.#sessions.delete(session) || this.#closed) return;
    this.#expire();
    this.#leave(session);
    this.#endStep();
  }

  /** The whole state, for the primary that replaces this one. `keyOf`: as in proxy.ts; the others have ended. Nothing is done here afterwards. */
  snapshot(keyOf: (session: Session) => number | undefined): StateSnapshot {
    for (const session of [...this.#sessions].filter((one) => keyOf(one) === undefined)) {
      if (session.known) session.post({ act: 'closed' });
      this.end(session);
    }
    this.#expire();
    this.#endStep();
    const snapshot = takeSnapshot(this.#store, this.#locks, this.#sessions, keyOf);
    this.#sessions.clear();
    this.close();
    return snapshot;
  }

  /** Goes on from the state of another primary. `sessionOf`: the session of a process with this key, which is connected here. Call it before anything else. */
  restore(snapshot: StateSnapshot, sessionOf: (key: number) => Session | null): void {
    restoreSnapshot(snapshot, this.#store, this.#locks, sessionOf);
    if (snapshot.sessions.some(({ feeds }) => feeds.some(({ beat }) => beat))) this.#nextBeat = this.#clock.now() + BEAT_MS;
    this.#expire();
    this.#endStep();
  }

  /** Closes the shared state for all processes. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const session of this.#sessions) {
      if (session.known) session.post({ act: 'closed' });
    }
    this.#sessions.clear();
    this.#answered.clear();
  }

  // ── operations ─────────────────────────────────────────────────────────────────────────────────

  /** False if it was one too many, and the session is ended. */
  #call(session: Session, value: unknown): boolean {
    const call = readCall(value);
    if (call === null) return true;
    const refusal = isHousekeeping(call.op) ? null : this.#unread(session);
    if (refusal !== null) this.#answer(session, { id: call.id, error: refusal });
    else this.#do(session, call);
    return !this.#endIfTooMuch(session);
  }

  #do(session: Session, call: Call | { readonly op: 'none'; readonly id: number }): void {
    try {
      if (call.op === 'none') throw stateError('ERR_SHARED_STATE_PROTOCOL', 'The primary does not understand this call');
      const result = this.#operate(session, call);
      if (result !== null) this.#answer(session, { id: call.id, result });
    } catch (error) {
      this.#answer(session, { id: call.id, error: toRefusal(error) });
    }
  }

  /** Cuts a process off if it has more unanswered calls than a client that counts can have; was it cut off? */
  #endIfTooMuch(session: Session): boolean {
    if (this.#pending(session) <= mostPending(this.#limits)) return false;
    session.post({ act: 'closed' });
    this.#sessions.delete(session);
    this.#leave(session);
    this.#cutOff(session);
    return true;
  }

  /** The number of calls of this process whose answers it has not read yet. */
  #pending(session: Session): number {
    return session.unreadAnswers + this.#locks.waitsOf(session);
  }

  /**
   * The refusal of a call of a process that does not read its answers; null if it reads them. It is made without an
   * Error, because the stack of one would cost more than a call.
   */
  #unread(session: Session): Refusal | null {
    const { pendingCalls, unreadBytes } = this.#limits;
    if (this.#pending(session) >= pendingCalls) {
      const message = `${pendingCalls} calls of this process are not answered yet, as many as limits.pendingCalls allows`;
      return { code: 'ERR_SHARED_STATE_LIMIT', message, limit: 'pendingCalls' };
    }
    if (session.unreadBytes >= unreadBytes) {
      const message = `This process has not read ${session.unreadBytes} bytes of answers and events; limits.unreadBytes is ${unreadBytes}`;
      return { code: 'ERR_SHARED_STATE_LIMIT', message, limit: 'unreadBytes' };
    }
    return null;
  }

  /** Does one call. Null: it is answered later. */
  #operate(session: Session, call: Call): ResultOf<OperationName> | null {
    switch (call.op) {
      case 'watch': return this.#watch(session, call);
      case 'unwatch': return { done: session.feeds.delete(call.watch) };
      default: return operate(this.#store, this.#locks, this.#limits, this.#clock.now(), session, call);
    }
  }

  #watch(session: Session, { watch, prefix, since, beat }: Call & { op: 'watch' }): ResultOf<'watch'> {
    const { watches } = this.#limits;
    checkBytes('The prefix', prefix, this.#limits, 'keyBytes');
    if (session.feeds.size >= watches) {
      throw stateError('ERR_SHARED_STATE_LIMIT', `This process has ${watches} watches, as many as limits.watches allows`, { limit: 'watches' });
    }
    const feed = new Feed(this.#store, watch, prefix, since, beat === true);
    session.feeds.set(watch, feed);
    this.#opened.push({ session, feed });
    if (beat === true && this.#nextBeat === Infinity) this.#nextBeat = this.#clock.now() + BEAT_MS;
    return { version: this.#store.revision };
  }

  #granted({ holder, id }: Waiter<Session>, { token, expiresAt }: Grant): void {
    this.#answer(holder, { id, result: { token, expiresAt } });
  }

  #leave(session: Session): void {
    session.forget();
    this.#answered.delete(session);
    this.#locks.leave(this.#clock.now(), session);
  }

  // ── what goes out ──────────────────────────────────────────────────────────────────────────────

  #answer(session: Session, answer: Answer): void {
    session.answer(answer);
    this.#answered.add(session);
  }

  /** Ends each step: sends the answers, lists the keys for new watches, has events sent in the next turn, and sets the timer. */
  #endStep(): void {
    const answered = [...this.#answered];
    this.#answered.clear();
    for (const session of answered) session.sendAnswers();
    const opened = this.#opened;
    this.#opened = [];
    for (const { session, feed } of opened) {
      // A watch that was ended by the same message needs no list.
      if (session.feeds.get(feed.watch) === feed) feed.begin();
    }
    this.#pumpSoon();
    this.#setTimer();
  }

  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#clock.soon(() => this.#pump(false));
  }

  /** Sends the watches of all processes the events that they have not received. */
  #pump(beat: boolean): void {
    this.#pumping = false;
    if (this.#closed) return;
    const now = this.#clock.now();
    for (const session of [...this.#sessions]) this.#feed(session, now, beat);
  }

  /** Sends one process one message of events, as many as `unreadBytes` allows. */
  #feed(session: Session, now: number, beat: boolean): void {
    const batches: Batch[] = [];
    let bytes = 0;
    let room = this.#limits.unreadBytes - session.unreadBytes;
    for (const feed of session.feeds.values()) {
      if (room <= 0) break;
      let batch = feed.next(now, beat && feed.beat);
      for (; batch !== null; batch = room > 0 ? feed.next(now) : null) {
        const size = batch.events.reduce((sum, event) => sum + sizeOf(event), BATCH_BYTES);
        batches.push(batch);
        bytes += size;
        room -= size;
      }
    }
    if (batches.length === 0) return; // If there was no room, `connect` has this called again when there is.
    session.sendEvents(batches, bytes);
    if (room <= 0) this.#pumpSoon();
  }

  #expire(): void {
    const now = this.#clock.now();
    this.#store.expire(now);
    this.#locks.expire(now);
  }

  #setTimer(): void {
    const at = Math.min(this.#store.nextDeadline(), this.#locks.nextDeadline(), this.#nextBeat);
    // A timer that is set for an earlier time stays: it fires, finds nothing to do and is set again.
    if (at === Infinity || (this.#timer !== null && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    this.#timer = { at, cancel: this.#clock.at(at, () => this.#onTimer()) };
  }

  #onTimer(): void {
    this.#timer = null;
    this.#expire();
    const now = this.#clock.now();
    if (now >= this.#nextBeat) {
      const beats = [...this.#sessions].some(({ feeds }) => [...feeds.values()].some(({ beat }) => beat));
      this.#nextBeat = beats ? now + BEAT_MS : Infinity;
      this.#pump(true);
    }
    this.#endStep();
  }
}
