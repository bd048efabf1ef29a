/**
 * One watch of this process over a store. It asks the store for the changes since the version that it has: when the
 * store says that something has changed, and each second. So a hint that is lost makes an event late and loses none.
 *
 * Owns     the version up to which the watch has everything; the list of batches that the program has not taken; the timer
 *          of its pause
 * Used by  session.ts
 * Uses     answers.ts
 * States   opening ── open ──► opened ── begin ──► following;   each ── close ──► closed
 *          following ── the store has forgotten the changes since the version ──► following, with a reset
 * Keeps    1. a watch gets the changes in the order of their versions, each once. What the store has forgotten comes as
 *             a reset
 *          2. it asks one thing at a time, and nothing while WINDOW events are not taken. A store that calls back each time
 *             when it is asked makes no loop: after MOST_IN_VAIN answers without an event it pauses before each question
 *          3. `time` of a batch is when the question was sent, so the age of a replica is never too small
 */
import type { MachineClock } from '../../clock';
import type { Batch, KeyEvent, OperationOf } from '../protocol';
import { changesOf, listOf, malformed } from './answers';
import type { SharedStore } from './contract';

/** Events that the program may not have taken, before the watch asks for more: enough to keep it busy while the store answers. */
const WINDOW = 256;
/** Events of one batch. With values of 64 KiB they are 8 MiB. */
const MOST = 128;
/**
 * Consecutive answers without an event, with a hint of the store during each question, after which the watch pauses. In a
 * burst some hints are later than their event, or are for another prefix: a pause there could last longer than the store's history.
 */
const MOST_IN_VAIN = 10;
/** Milliseconds of that pause. */
const PAUSE_MS = 10;

/** What a feed needs from its session. */
export interface FeedHost {
  post(batch: Batch): void;
  /** The store has failed, or has not kept to its contract. */
  failed(feed: StoreFeed, error: unknown): void;
  /** The store has answered. */
  answered(): void;
}

/** What the store has answered to one question. */
interface Step { readonly events: readonly KeyEvent[]; readonly reset: boolean; readonly version: number; readonly time: number; readonly current: boolean }

/** One watch. Made by session.ts. */
export class StoreFeed {
  readonly watch: number;
  readonly #prefix: string;
  readonly #beat: boolean;
  readonly #store: SharedStore;
  readonly #clock: MachineClock;
  readonly #host: FeedHost;
  #state: 'opening' | { readonly opened: Step } | 'following' | 'closed' = 'opening';
  /** The watch has all changes up to this version; undefined: it knows nothing. */
  #since: number | undefined;
  /** When the question was sent that the store has not answered. */
  #asked: number | undefined;
  #pulling = false;
  /** Ends the pause, while there is one. */
  #endPause: (() => void) | null = null;
  /** There may be changes that it has not asked for. */
  #again = false;
  /** Consecutive answers without an event that a hint of the store came before. */
  #inVain = 0;
  #batch = 0;
  /** Batches that the program has not taken. */
  #untaken: { readonly batch: number; readonly events: number }[] = [];
  #untakenEvents = 0;

  constructor(store: SharedStore, clock: MachineClock, { watch, prefix, beat = false }: OperationOf<'watch'>, host: FeedHost) {
    this.watch = watch;
    this.#prefix = prefix;
    this.#beat = beat;
    this.#store = store;
    this.#clock = clock;
    this.#host = host;
  }

  /** Asks the store for what the watch begins with. Resolves to the version of that. */
  async open(since: number | 'now' | undefined): Promise<number> {
    let first: Step;
    if (since === 'now') {
      const time = this.#clock.now();
      const changes = changesOf(await this.#store.changes(this.#prefix, undefined, MOST));
      if (changes === undefined) throw malformed('changes');
      first = { events: [], reset: false, version: changes.version, time, current: true };
    } else {
      this.#since = since;
      first = await this.#ask();
    }
    if (this.#state === 'opening') this.#state = { opened: first };
    return first.version;
  }

  /** Sends what `open` has got, and follows the store from there. */
  begin(): void {
    if (typeof this.#state !== 'object') return;
    const { opened } = this.#state;
    this.#state = 'following';
    this.#send(opened);
    void this.pull();
  }

  /** Asks the store for changes, until there are none or too many are not taken. */
  async pull(): Promise<void> {
    this.#again = true;
    if (this.#pulling || this.#endPause !== null) return;
    this.#pulling = true;
    try {
      while (this.#again && this.#state === 'following' && this.#untakenEvents < WINDOW) {
        this.#again = false;
        const step = await this.#ask();
        if (this.#isClosed()) return;
        this.#host.answered();
        this.#send(step);
        const isInVain = this.#again && (step.reset || step.events.length === 0);
        this.#inVain = isInVain ? this.#inVain + 1 : 0;
        if (this.#inVain >= MOST_IN_VAIN) return this.#pause();
        if (!step.current) this.#again = true;
      }
    } catch (error) {
      if (!this.#isClosed()) this.#host.failed(this, error);
    } finally {
      this.#pulling = false;
    }
  }

  /** A store that calls back each time when it is asked would be asked without end. */
  #pause(): void {
    this.#endPause = this.#clock.at(this.#clock.now() + PAUSE_MS, () => {
      this.#endPause = null;
      void this.pull();
    });
  }

  /** The program has taken all events up to this batch. */
  consumed(batch: number): void {
    const wasFull = this.#untakenEvents >= WINDOW;
    this.#untaken = this.#untaken.filter((sent) => sent.batch > batch);
    this.#untakenEvents = this.#untaken.reduce((sum, { events }) => sum + events, 0);
    if (wasFull && this.#again) void this.pull();
  }

  /** Since so many milliseconds the store has not answered. */
  waitsMs(now: number): number {
    return this.#asked === undefined ? 0 : now - this.#asked;
  }

  /** Sends and asks nothing any more. */
  close(): void {
    this.#state = 'closed';
    this.#endPause?.();
  }

  /** A function, because the state changes while a question is under way, which the compiler does not see. */
  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  async #ask(): Promise<Step> {
    const time = this.#asked = this.#clock.now();
    try {
      if (this.#since !== undefined) {
        const changes = changesOf(await this.#store.changes(this.#prefix, this.#since, MOST), this.#since);
        if (changes !== undefined) return { ...changes, reset: false, time, current: changes.events.length < MOST };
      }
      return { ...listOf(await this.#store.list(this.#prefix)), reset: true, time, current: true };
    } finally {
      this.#asked = undefined;
    }
  }

  #send({ events, reset, version, time, current }: Step): void {
    this.#since = version;
    if (events.length === 0 && !reset && !this.#beat) return;
    this.#untaken.push({ batch: ++this.#batch, events: events.length });
    this.#untakenEvents += events.length;
    this.#host.post({ watch: this.watch, batch: this.#batch, events, ...(reset && { reset: 'last' }), version, time, current, ask: true });
  }
}
