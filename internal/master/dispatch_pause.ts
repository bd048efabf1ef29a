/**
 * When no worker of an address takes a connection, dispatch is paused for a moment: otherwise the primary and its workers
 * would pass the same connections to and fro as fast as they can.
 *
 *   running ── all workers have rejected one, or REJECTIONS in a row ──► paused ── PAUSE_MS, or `end` ──► running
 *
 * Owns     the timer of the pause
 * Used by  hand_off_queue.ts
 * Keeps    rejections count as long as dispatch runs, since the last connection that was taken
 */
import { Set, timers } from '../builtins';
import type { Peer } from './peer';
import type { Candidate } from './scheduling';

/** After this many rejections in a row, without one connection taken, dispatch is paused for PAUSE_MS. */
const REJECTIONS = 64;
/** Milliseconds of such a pause: soon for a client, and rare enough that nobody spins. */
const PAUSE_MS = 20;

type PauseState =
  | { readonly is: 'running'; rejections: number; readonly rejectedBy: Set<Candidate<Peer>> }
  | { readonly is: 'paused'; readonly timer: NodeJS.Timeout };

/** The pauses of one address: knows whether its workers take connections. */
export class DispatchPause {
  readonly #over: () => void;
  #state: PauseState = { is: 'running', rejections: 0, rejectedBy: new Set() };

  /** `over` is called when PAUSE_MS have passed; it calls `end`. */
  constructor(over: () => void) {
    this.#over = over;
  }

  get isOn(): boolean {
    return this.#state.is === 'paused';
  }

  /** A worker has not taken a connection. `allOf` says whether the test holds for every worker of the address. */
  rejected(candidate: Candidate<Peer>, allOf: (test: (one: Candidate<Peer>) => boolean) => boolean): void {
    const state = this.#state;
    if (state.is === 'paused') return;
    state.rejections++;
    state.rejectedBy.add(candidate);
    if (state.rejections < REJECTIONS && !allOf((one) => state.rejectedBy.has(one))) return;
    this.#state = { is: 'paused', timer: timers.setTimeout(this.#over, PAUSE_MS) };
  }

  /** A connection was taken: earlier rejections no longer matter. A pause goes on. */
  taken(): void {
    if (this.#state.is === 'paused' || this.#state.rejections === 0) return;
    this.#state.rejections = 0;
    this.#state.rejectedBy.clear();
  }

  /** Ends a pause, and forgets all rejections. */
  end(): void {
    if (this.#state.is === 'paused') timers.clearTimeout(this.#state.timer);
    this.#state = { is: 'running', rejections: 0, rejectedBy: new Set() };
  }
}
