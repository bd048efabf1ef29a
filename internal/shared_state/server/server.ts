/**
 * The primary's side: one store, one table of locks, and a session for each process that uses them.
 * Every operation is done at once and in full, in the order in which calls arrive: that order is
 * what makes the shared state linearizable.
 *
 * Owns     the store, the leases, the sessions with their feeds; one timer, for what ends first
 * Used by  primary.ts, which gives each worker a session; tests, with a clock of their own
 * Uses     operations.ts on store.ts and locks.ts; session.ts, feed.ts
 * Never    throws at what a client sends: a message that makes no sense is ignored, a call is refused
 * Never    holds more for a process that does not read than its limits allow: beyond `unreadBytes` its
 *          calls are refused and its events wait, and beyond `pendingCalls` its calls are refused. A
 *          client counts the same and does not send so many; whoever sends twice as many all the same
 *          does not count, and is cut off: its session ends, and its process gets no other
 * States   of a session: unknown ── hello ──► known ── bye, end, cut off ──► unknown; its calls count while it is known
 * Keeps    1. a call is answered once; after `end` nothing is sent to the session
 *          2. before each operation everything is expired whose time has come
 *          3. what ends with a session, its leases, waits and watches, ends before anybody's next operation
 * Wire     see protocol.ts. Answers of one message leave as one message; events leave in a turn of
 *          their own, so that what many wrote in one turn is one batch
 */
import type { MachineClock } from '../../clock';
import { readCall } from '../guards';
import { Feed } from './feed';
import { sizeOf } from './history';
import { Locks, type Grant, type Waiter } from './locks';
import { isHousekeeping, mostPending, type Answer, type Batch, type Call, type ClientMessage, type Limits, type OperationName, type Refusal, type ResultOf } from '../protocol';
import { operate } from './operations';
import { Session, type Send } from './session';
import { Store } from './store';
import { checkBytes, stateError, toRefusal } from '../values';

/** How often a replica hears that it is current, in milliseconds. */
const BEAT = 1000;

/** About how many bytes a welcome has. */
const WELCOME_BYTES = 300;

/** About how many bytes a batch has besides its events. */
const BATCH_BYTES = 150;

/** The shared state itself. */
export class StateServer {
  readonly #clock: MachineClock;
  readonly #limits: Limits;
  readonly #store: Store;
  readonly #locks: Locks<Session>;
  readonly #sessions = new Set<Session>();
  /** Sessions that have answers to be sent. */
  readonly #answered = new Set<Session>();
  /** Watches that this message has opened. */
  #opened: { readonly session: Session; readonly feed: Feed }[] = [];
  #pumping = false;
  #closed = false;
  #timer: { at: number; cancel(): void } | null = null;
  #nextBeat = Infinity;
  readonly #cutOff: (session: Session) => void;

  /** `revision`: the number before the first version. `cutOff` is called when a session is ended for what it sent. */
  constructor(clock: MachineClock, limits: Limits, revision: number, cutOff: (session: Session) => void = () => undefined) {
    this.#clock = clock;
    this.#cutOff = cutOff;
    this.#limits = limits;
    this.#store = new Store(limits, revision);
    this.#locks = new Locks(limits, () => this.#store.nextRevision(), (waiter, grant) => this.#granted(waiter, grant));
  }

  /** A process that may say hello. */
  connect(id: number, send: Send): Session {
    const session = new Session(id, this.#limits, send, ({ feeds }) => {
      if (feeds.size > 0) this.#pumpSoon();
    });
    this.#sessions.add(session);
    return session;
  }

  /** Tells every process that there is somebody to say hello to. */
  announce(session: Session): void {
    session.post({ act: 'announce' });
  }

  receive(session: Session, message: ClientMessage): void {
    if (this.#closed || !this.#sessions.has(session)) return;
    if (message.act === 'hello') {
      if (session.known) return; // It said so once for itself, and once because it was asked to.
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
    this.#settle();
  }

  /** The process is gone, or does not want any more: what it held is free. */
  end(session: Session): void {
    if (!this.#sessions.delete(session) || this.#closed) return;
    this.#expire();
    this.#leave(session);
    this.#settle();
  }

  /** Ends it for everybody. */
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

  /** Cuts off a process to which more is under way than anybody asks for who counts; was it so? */
  #endIfTooMuch(session: Session): boolean {
    if (this.#pending(session) <= mostPending(this.#limits)) return false;
    session.post({ act: 'closed' });
    this.#sessions.delete(session);
    this.#leave(session);
    this.#cutOff(session);
    return true;
  }

  /** Calls of this process without an answer that it can have read. */
  #pending(session: Session): number {
    return session.unreadAnswers + this.#locks.waitsOf(session);
  }

  /** Why no more is done for a process before it reads; made without an Error, whose stack would cost more than a call. */
  #unread(session: Session): Refusal | null {
    const { pendingCalls, unreadBytes } = this.#limits;
    if (this.#pending(session) >= pendingCalls) {
      const message = `${pendingCalls} calls of this process are not answered yet, as many as limits.pendingCalls allows`;
      return { code: 'ERR_SHARED_STATE_LIMIT', message, limit: 'pendingCalls' };
    }
    if (session.unreadBytes >= unreadBytes) {
      const message = `This process has ${session.unreadBytes} bytes to read; limits.unreadBytes is ${unreadBytes}`;
      return { code: 'ERR_SHARED_STATE_LIMIT', message, limit: 'unreadBytes' };
    }
    return null;
  }

  /** Does it; null if the answer comes later. */
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
    if (beat === true && this.#nextBeat === Infinity) this.#nextBeat = this.#clock.now() + BEAT;
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

  /** After each step: sends the answers, sees to it that the events follow, and sets the timer. */
  #settle(): void {
    const answered = [...this.#answered];
    this.#answered.clear();
    for (const session of answered) session.sendAnswers();
    const opened = this.#opened;
    this.#opened = [];
    for (const { session, feed } of opened) {
      // A watch that ended in the message in which it began costs nothing.
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

  /** Sends every watch what it does not know yet. */
  #pump(beat: boolean): void {
    this.#pumping = false;
    if (this.#closed) return;
    const now = this.#clock.now();
    for (const session of [...this.#sessions]) this.#feed(session, now, beat);
  }

  /** One message of events for one process; if that cannot hold all, another follows. */
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
    if (batches.length === 0) return; // Where there is no room, the pump comes when there is.
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
    // A timer that is too early costs a look; one that is too late does not exist.
    if (at === Infinity || (this.#timer !== null && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    this.#timer = { at, cancel: this.#clock.at(at, () => this.#timeHasCome()) };
  }

  #timeHasCome(): void {
    this.#timer = null;
    this.#expire();
    const now = this.#clock.now();
    if (now >= this.#nextBeat) {
      const anybody = [...this.#sessions].some(({ feeds }) => [...feeds.values()].some(({ beat }) => beat));
      this.#nextBeat = anybody ? now + BEAT : Infinity;
      this.#pump(true);
    }
    this.#settle();
  }
}
