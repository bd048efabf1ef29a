/**
 * The primary's side: one store, one table of locks, and a session for each process that uses them.
 * Every operation is done at once and in full, in the order in which calls arrive: that order is
 * what makes the shared state linearizable.
 *
 * Owns     the store, the leases, the sessions with their feeds; one timer, for what ends first
 * Used by  primary.ts, which gives each worker a session; tests, with a clock of their own
 * Uses     operations.ts on store.ts and leases.ts; feed.ts
 * Never    throws at what a client sends: a message that makes no sense is ignored, a call is refused
 * States   of a session: unknown ── hello ──► known ── bye, end ──► unknown; its calls count while it is known
 * Keeps    1. a call is answered once; after `end` nothing is sent to the session
 *          2. before each operation everything is expired whose time has come
 *          3. what ends with a session, its leases, waits and watches, ends before anybody's next operation
 * Wire     see protocol.ts. Answers of one message leave as one message; events leave in a turn of
 *          their own, so that what many wrote in one turn is one batch
 */
import type { Clock } from './clock';
import { Feed } from './feed';
import { Leases, type Grant, type Waiter } from './leases';
import { readCall, type Answer, type Batch, type Call, type ClientMessage, type Limits, type Result, type ServerMessage } from './protocol';
import { operate } from './operations';
import { Store } from './store';
import { checkBytes, stateError, toRefusal } from './values';

/** How often a replica hears that it is current, in milliseconds. */
const BEAT = 1000;

/** One process that uses the shared state. Made by `StateServer.connect`. */
export class Session {
  /** A worker's id, 0 for the primary. */
  readonly id: number;
  readonly feeds = new Map<number, Feed>();
  known = false;
  answers: Answer[] = [];
  readonly send: (message: ServerMessage) => void;

  constructor(id: number, send: (message: ServerMessage) => void) {
    this.id = id;
    this.send = send;
  }
}

/** The shared state itself. */
export class StateServer {
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #store: Store;
  readonly #leases: Leases<Session>;
  readonly #sessions = new Set<Session>();
  /** Sessions that have answers to be sent. */
  readonly #answered = new Set<Session>();
  #pumping = false;
  #closed = false;
  #timer: { at: number; cancel(): void } | null = null;
  #nextBeat = Infinity;

  /** `revision`: the number before the first version. */
  constructor(clock: Clock, limits: Limits, revision: number) {
    this.#clock = clock;
    this.#limits = limits;
    this.#store = new Store(limits, revision);
    this.#leases = new Leases(limits, () => this.#store.nextRevision(), (waiter, grant) => this.#granted(waiter, grant));
  }

  /** A process that may say hello. `send` must not throw, and may lose messages when the process is gone. */
  connect(id: number, send: (message: ServerMessage) => void): Session {
    const session = new Session(id, send);
    this.#sessions.add(session);
    return session;
  }

  /** Tells every process that there is somebody to say hello to. */
  announce(session: Session): void {
    session.send({ act: 'announce' });
  }

  receive(session: Session, message: ClientMessage): void {
    if (this.#closed || !this.#sessions.has(session)) return;
    if (message.act === 'hello') {
      if (session.known) return; // It said so once for itself, and once because it was asked to.
      session.known = true;
      session.send({ act: 'welcome', limits: this.#limits });
      return;
    }
    if (!session.known) return;
    this.#expire();
    switch (message.act) {
      case 'calls':
        for (const value of message.calls) this.#call(session, value);
        break;
      case 'cancel':
        if (this.#leases.cancel(session, message.id)) this.#answer(session, { id: message.id, result: {} });
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
      if (session.known) session.send({ act: 'closed' });
    }
    this.#sessions.clear();
  }

  // ── operations ─────────────────────────────────────────────────────────────────────────────────

  #call(session: Session, value: unknown): void {
    const call = readCall(value);
    if (call === null) return;
    try {
      if (call.op === 'none') throw stateError('ERR_SHARED_STATE_PROTOCOL', 'The primary does not understand this call');
      const result = this.#operate(session, call);
      if (result !== null) this.#answer(session, { id: call.id, result });
    } catch (error) {
      this.#answer(session, { id: call.id, error: toRefusal(error) });
    }
  }

  /** Does it; null if the answer comes later. */
  #operate(session: Session, call: Call): Result | null {
    switch (call.op) {
      case 'watch': return this.#watch(session, call);
      case 'unwatch': return { done: session.feeds.delete(call.watch) };
      default: return operate(this.#store, this.#leases, this.#limits, this.#clock.now(), session, call);
    }
  }

  #watch(session: Session, { watch, prefix, since, beat }: Call & { op: 'watch' }): Result {
    const { watches } = this.#limits;
    checkBytes('The prefix', prefix, this.#limits, 'keyBytes');
    if (session.feeds.size >= watches) {
      throw stateError('ERR_SHARED_STATE_LIMIT', `This process has ${watches} watches, as many as limits.watches allows`, { limit: 'watches' });
    }
    session.feeds.set(watch, new Feed(this.#store, watch, prefix, since, beat === true));
    if (beat === true && this.#nextBeat === Infinity) this.#nextBeat = this.#clock.now() + BEAT;
    return { version: this.#store.revision };
  }

  #granted({ holder, id }: Waiter<Session>, { token, expiresAt }: Grant): void {
    this.#answer(holder, { id, result: { token, expiresAt } });
  }

  #leave(session: Session): void {
    session.known = false;
    session.answers = [];
    session.feeds.clear();
    this.#leases.leave(this.#clock.now(), session);
  }

  // ── what goes out ──────────────────────────────────────────────────────────────────────────────

  #answer(session: Session, answer: Answer): void {
    session.answers.push(answer);
    this.#answered.add(session);
  }

  /** After each step: sends the answers, sees to it that the events follow, and sets the timer. */
  #settle(): void {
    for (const session of this.#answered) {
      const { answers } = session;
      session.answers = [];
      if (answers.length > 0 && session.known) session.send({ act: 'answers', answers });
    }
    this.#answered.clear();
    if (!this.#pumping) {
      this.#pumping = true;
      this.#clock.soon(() => this.#pump(false));
    }
    this.#setTimer();
  }

  /** Sends every watch what it does not know yet. */
  #pump(beat: boolean): void {
    this.#pumping = false;
    const now = this.#clock.now();
    for (const session of this.#sessions) {
      const batches: Batch[] = [];
      for (const feed of session.feeds.values()) {
        let batch = feed.next(now, beat && feed.beat);
        for (; batch !== null; batch = feed.next(now)) batches.push(batch);
      }
      if (batches.length > 0) session.send({ act: 'events', batches });
    }
  }

  #expire(): void {
    const now = this.#clock.now();
    this.#store.expire(now);
    this.#leases.expire(now);
  }

  #setTimer(): void {
    const at = Math.min(this.#store.nextDeadline(), this.#leases.nextDeadline(), this.#nextBeat);
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
