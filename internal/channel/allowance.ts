/**
 * How many frames a channel may write one by one, each with a system call of its own, before frames are joined (D15). A
 * turn of the event loop may write ALLOWANCE frames so. A flood of many turns may write REFILL of them per millisecond,
 * over all channels of this process.
 *
 *   full ── take ──► refilling ── newTurn, once enough time has passed; or the channel was idle for IDLE_MS ──► full
 *
 * Owns     the table of refilling channels, one for this process: they share REFILL
 * Used by  outbox.ts, one for each channel
 * Keeps    a channel that is full, or closed, is not in that table and takes no share
 * Decided  ALLOWANCE is lower on Nodes whose pipes hold less, although Node itself writes each frame at once. What the
 *          kernel does not take is queued in libuv, which drops it when the process ends or the channel disconnects.
 *          Two other ways were rejected. A blocking write at the end of the process would send frames twice if the
 *          process survives (a handled signal, a replaced `reallyExit`). A blocking write in `disconnect` would stop a
 *          process that lives on. If nobody reads, Node 26 gets 171 frames of 200 through; this file gets 176.
 */
import { Math, performance, Set } from '../builtins';
import { nodeMajor } from '../native/bindings';

/**
 * Frames that one turn may write one by one. A pipe holds 278 short frames on Node 20, and 171 from Node 22 on, whose
 * libuv asks the kernel for a smaller buffer. With this allowance and joined groups after it, 1000 frames of one turn
 * fit into the pipe even if nobody reads.
 */
const ALLOWANCE = nodeMajor < 22 ? 200 : 96;
/**
 * Frames that each millisecond adds to the allowances of all busy channels of this process together. Written one by one,
 * 10 frames take 4 % of that millisecond.
 */
const REFILL = 10;
/**
 * Frames in a group during the first turn of a flood. Each further turn of the flood doubles it: a program that returns
 * to its event loop so often does not block. With groups of 40 a flood reaches three quarters of its highest rate.
 */
const GROUP = 40;
/** Frames. No group grows beyond this, however long the flood lasts. */
const LARGEST_GROUP = 640;
/** Milliseconds between two looks for idle channels: some turns of a flood. */
const IDLE_MS = 100;

/** Channels whose allowance is not full, and so grows. */
const refilling = new Set<Allowance>();
/** When the idle ones among them were last looked for. */
let lookedAt = 0;

/** The allowance of one channel. */
export class Allowance {
  /** Frames that may be written one by one; this was true at `#at`. Not whole: many short turns add up. */
  #left = ALLOWANCE;
  #at = performance.now();
  /** Since idle channels were last looked for. */
  #hasWritten = false;
  #groupSize = GROUP;

  /** How many frames make a group full in this turn. */
  get groupSize(): number {
    return this.#groupSize;
  }

  /** A frame is written, at once or in a group. */
  wrote(): void {
    this.#hasWritten = true;
  }

  /** May one more frame be written at once? If so, it is counted. */
  take(): boolean {
    if (this.#left < 1) return false;
    if (this.#left === ALLOWANCE) refilling.add(this);
    this.#left--;
    return true;
  }

  /** A new turn begins. At least `least` frames of it may be written one by one. */
  newTurn(least: number): void {
    const now = performance.now();
    const flooded = this.#left < 1;
    if (refilling.size > 1) Allowance.#removeIdle(now);
    const share = REFILL / Math.max(1, refilling.size);
    this.#left = Math.min(ALLOWANCE, Math.max(least, this.#left + (now - this.#at) * share));
    if (this.#left === ALLOWANCE) refilling.delete(this);
    this.#at = now;
    if (flooded) this.#groupSize = Math.min(LARGEST_GROUP, this.#groupSize * 2);
    else if (this.#left === ALLOWANCE) this.#groupSize = GROUP;
  }

  /** Takes out the channels that have written nothing since the last look, IDLE_MS ago or more. */
  static #removeIdle(now: number): void {
    if (now - lookedAt < IDLE_MS) return;
    lookedAt = now;
    for (const one of refilling) {
      if (one.#hasWritten) {
        one.#hasWritten = false;
      } else {
        one.#left = ALLOWANCE;
        refilling.delete(one);
      }
    }
  }

  /** The channel has ended. */
  close(): void {
    refilling.delete(this);
  }
}
