/**
 * The server of the shared state in a process whose state is in a store: it does the calls of this process by calling
 * the store, and answers as server/server.ts does in a primary. So everything above it is the same for both.
 *
 * Owns     the watches and lock calls of this process; the timer of the beat, and the store's hints, while there are watches
 * Used by  open.ts
 * Uses     locks.ts, feed.ts, answers.ts
 * Never    believes what the store answers, or lets what it throws out of here
 * States   of the data: as seen ── the store reports that it has lost some ──► the connection of the client is lost: its
 *          leases, its pending calls, and what its watches know. At once there is another one
 * Keeps    1. each call is answered once, and none after `bye`
 *          2. all calls of a turn are under way together: the store decides on their order
 *          3. each loss of data that this process had seen is the error of at least one call on a key
 */
import type { MachineClock } from '../../clock';
import { invalidArgValue } from '../../errors';
import type { StateClient } from '../client/client';
import { readCall } from '../guards';
import { STATE, type Answer, type Batch, type Call, type ClientMessage, type Limits, type OperationName, type OperationOf, type ResultOf, type ServerMessage } from '../protocol';
import { checkBytes, stateError, toRefusal, type StateError } from '../values';
import { comparisonOf, contentOf, countOf, doneOf, foundOf, isLost, malformed, refusalOf } from './answers';
import type { SharedStore, StoreWrite } from './contract';
import { StoreFeed } from './feed';
import { StoreLocks } from './locks';

/** Milliseconds between two questions of each watch if the store gives no hint. */
const BEAT_MS = 1000;
/** Milliseconds without an answer to a watch after which a warning says so. */
const PATIENCE_MS = 5000;

/** A store reports a loss once. One that reports nothing but losses is not followed for ever: its watches would begin anew without end. */
const MOST_LOSSES = 3;

/** A string that Unicode cannot encode: most stores keep bytes, and two such strings would become the same bytes. */
const isIllFormed = (text: string): boolean => /\p{Surrogate}/u.test(text);

const LOST = 'The store has lost data that this process had seen: it was flushed, or has started with older data';

const lostError = (more: { maybeDone?: boolean } = {}): StateError => stateError('ERR_SHARED_STATE_LOST', LOST, more);

/** How a call writes. */
const writeOf = ({ ttlMs, fence }: StoreWrite): StoreWrite => ({ ttlMs, fence });

/** The calls of one process. */
export class StoreSession {
  readonly #store: SharedStore;
  readonly #clock: MachineClock;
  readonly #limits: Limits;
  readonly #client: () => StateClient;
  readonly #locks: StoreLocks;
  readonly #feeds = new Map<number, StoreFeed>();
  /** Counts the losses of data. */
  #era = 0;
  /** Losses since the store has last answered. */
  #lossesInARow = 0;
  /** A watch has noticed the latest loss, and no call has said so yet. */
  #untold = false;
  #closed = false;
  #warned = false;
  /** While there are watches: ends the hints of the store, and the beat. */
  #stopHints: (() => unknown) | null = null;
  #stopBeat: () => void = () => undefined;

  /** `client`: of this process; it sends its messages to `receive`. */
  constructor(store: SharedStore, clock: MachineClock, limits: Limits, client: () => StateClient) {
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
    this.#client = client;
    this.#locks = new StoreLocks(store, clock);
  }

  /** Handles one message of the client. */
  receive(message: ClientMessage): void {
    if (this.#closed) return;
    switch (message.act) {
      case 'hello': return this.#post({ act: 'welcome', limits: this.#limits });
      case 'calls':
        for (const value of message.calls) {
          const call = readCall(value);
          if (call !== null && call.op !== 'none') void this.#do(call);
        }
        return;
      case 'cancel': return this.#locks.cancel(message.id);
      case 'consumed': return this.#feeds.get(message.watch)?.consumed(message.batch);
      case 'bye':
        this.#closed = true;
        return this.#leave();
      default: return message satisfies never;
    }
  }

  #post(message: ServerMessage): void {
    this.#client().receive({ cmd: STATE, ...message });
  }

  // ── calls ──────────────────────────────────────────────────────────────────────────────────────

  async #do(call: Call): Promise<void> {
    const era = this.#era;
    let answer: Answer;
    let lost = false;
    if (this.#untold && 'key' in call) {
      this.#untold = false;
      return this.#post({ act: 'answers', answers: [{ id: call.id, error: toRefusal(lostError()) }] });
    }
    try {
      answer = { id: call.id, result: await this.#operate(call) };
      this.#lossesInARow = 0;
    } catch (error) {
      lost = isLost(error);
      answer = { id: call.id, error: refusalOf(call.op, error) };
    }
    if (this.#closed) return;
    this.#post({ act: 'answers', answers: [answer] });
    if (call.op === 'watch') this.#feeds.get(call.watch)?.begin();
    if (lost && era === this.#era) this.#lose();
  }

  async #operate(call: Call): Promise<ResultOf<OperationName>> {
    const store = this.#store;
    const at = this.#clock.now();
    const name = 'key' in call ? call.key : 'name' in call ? call.name : 'prefix' in call ? call.prefix : '';
    if (isIllFormed(name)) throw invalidArgValue('key' in call ? 'key' : 'name' in call ? 'name' : 'prefix', name, 'must be well-formed Unicode if the shared state is in a store');
    switch (call.op) {
      case 'get': return foundOf('get', await store.get(call.key), at);
      case 'set': return { version: countOf('set', await store.set(call.key, call.text, writeOf(call))) };
      case 'delete': return { done: doneOf('delete', await store.delete(call.key, { version: call.version, fence: call.fence })), version: 0 };
      case 'increment': return contentOf('increment', await store.increment(call.key, call.by, writeOf(call)), at);
      case 'compareAndSet': return comparisonOf(await store.compareAndSet(call.key, call.version, call.text, writeOf(call)), at);
      case 'lock': return this.#locks.acquire(call.id, call);
      case 'renew': return this.#locks.renew(call);
      case 'release': return this.#locks.release(call);
      case 'holder': throw stateError('ERR_SHARED_STATE_UNSUPPORTED', `A store does not say who holds the lock '${name}', or how many wait for it`);
      case 'watch': return { version: await this.#watch(call) };
      case 'unwatch': return { done: this.#unwatch(call.watch) };
      default: return call satisfies never;
    }
  }

  // ── watches ────────────────────────────────────────────────────────────────────────────────────

  async #watch(call: OperationOf<'watch'>): Promise<number> {
    const { watches } = this.#limits;
    checkBytes('The prefix', call.prefix, this.#limits, 'keyBytes');
    if (this.#feeds.size >= watches) {
      throw stateError('ERR_SHARED_STATE_LIMIT', `This process has ${watches} watches, as many as limits.watches allows`, { limit: 'watches' });
    }
    const feed = new StoreFeed(this.#store, this.#clock, call, {
      post: (batch: Batch) => this.#post({ act: 'events', batches: [batch] }),
      failed: (failing, error) => this.#failed(failing, error),
      answered: () => {
        this.#warned = false;
        this.#lossesInARow = 0;
      },
    });
    this.#feeds.set(call.watch, feed);
    try {
      if (this.#stopHints === null) {
        const stop: unknown = this.#store.watch(() => this.#pull());
        if (typeof stop !== 'function') {
          Promise.resolve(stop).catch(() => undefined); // An async function that rejects would end the process.
          throw malformed('watch');
        }
        this.#stopHints = () => Reflect.apply(stop, undefined, []);
        this.#beat();
        if (this.#feeds.size === 0) this.#stop(); // `watch` of the store has closed the shared state.
      }
      return await feed.open(call.since);
    } catch (error) {
      if (this.#feeds.get(call.watch) === feed) this.#unwatch(call.watch);
      throw error;
    }
  }

  #unwatch(watch: number): boolean {
    const feed = this.#feeds.get(watch);
    feed?.close();
    this.#feeds.delete(watch);
    if (this.#feeds.size === 0) this.#stop();
    return feed !== undefined;
  }

  /** Ends the hints of the store, and the beat. */
  #stop(): void {
    const stop = this.#stopHints;
    this.#stopHints = null;
    this.#stopBeat();
    // It may be an async function. Nothing here depends on it, but the store may not have given back what its hints took.
    new Promise((resolve) => resolve(stop?.())).catch((error: unknown) => {
      process.emitWarning(`The store cannot end its hints: ${refusalOf('watch', error).message}`, { code: 'SHARED_STATE_STORE' });
    });
  }

  #pull(): void {
    for (const feed of [...this.#feeds.values()]) void feed.pull();
  }

  #beat(): void {
    const now = this.#clock.now();
    this.#stopBeat = this.#clock.at(now + BEAT_MS, () => {
      const late = [...this.#feeds.values()].some((feed) => feed.waitsMs(this.#clock.now()) > PATIENCE_MS);
      if (late) this.#warn(`no answer within ${PATIENCE_MS} ms`);
      this.#pull();
      this.#beat();
    });
  }

  #failed(feed: StoreFeed, error: unknown): void {
    const { code, message } = refusalOf('changes', error);
    if (code === 'ERR_SHARED_STATE_LOST') {
      this.#untold = true;
      return this.#lose();
    }
    if (code !== 'ERR_SHARED_STATE_PROTOCOL') return this.#warn(error); // The next beat asks again.
    this.#unwatch(feed.watch);
    this.#client().endWatch(feed.watch, stateError('ERR_SHARED_STATE_PROTOCOL', message));
  }

  /** Says once, until the store answers again, that the watches get nothing. */
  #warn(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    process.emitWarning(`The watches of this process wait for the store, and go on when it answers: ${refusalOf('changes', error).message}`, { code: 'SHARED_STATE_STORE' });
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────

  /** The store has lost data that this process has seen. */
  #lose(): void {
    if (++this.#lossesInARow > MOST_LOSSES) return;
    this.#era++;
    this.#leave();
    process.emitWarning(`${LOST}. The leases of this process are lost, and its watches begin anew`, { code: 'SHARED_STATE_LOST' });
    // Calls abort listeners of the app, which may close the shared state: then the client ignores the welcome.
    this.#client().lose(lostError({ maybeDone: true }));
    if (!this.#closed) this.#post({ act: 'welcome', limits: this.#limits });
  }

  #leave(): void {
    for (const feed of this.#feeds.values()) feed.close();
    this.#feeds.clear();
    this.#stop();
    this.#locks.leave();
  }
}
