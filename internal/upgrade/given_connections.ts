/**
 * The connections that a primary gives to its successor: those that it accepts while its workers leave, and those that these
 * give back.
 *
 *   queued in its address ── give ──► sent ── taken: a worker of the successor has it ──► closed here
 *        ▲                             │
 *        └── it could not be sent, or the successor has ended
 *
 * Owns     each connection from `give` until it is taken, or back in the queue of its address; the timers of a pause, and of
 *          patience
 * Used by  predecessor.ts
 * Uses     registry.ts (types)
 * Keeps    at most WINDOW connections are sent and not taken. The others wait in their addresses, which bound them
 */
import { timers } from '../builtins';
import { epochClock } from '../clock';
import type { NativeHandle } from '../native/bindings';
import type { Addresses } from './registry';

/** How many connections may be on their way to the successor: the kernel allows a process only so many fds in flight. */
const WINDOW = 64;
/** After a connection that could not be sent, for want of memory or of fds in flight: how long none is tried, in milliseconds. */
const PAUSE_MS = 1;

/** If none is taken for so long, in milliseconds, the successor does not work: a worker that hangs is replaced earlier. */
const STALLED_MS = 30_000;

/** Sends a connection (borrowed until `written` is called). `written` is not called if the successor has ended. */
export type SendConnection = (seq: number, id: number, moved: boolean, connection: NativeHandle, written: (error: Error | null) => void) => void;

interface Sent { readonly id: number; readonly connection: NativeHandle; readonly moved: boolean }

/** The connections of one handover. */
export class GivenConnections {
  readonly #addresses: Addresses;
  readonly #send: SendConnection;
  readonly #stalled: (ms: number) => void;
  readonly #sent = new Map<number, Sent>();
  #lastSeq = 0;
  #taken = 0;
  #pause: NodeJS.Timeout | null = null;
  /** Ends the timer of patience, which runs while one is sent and not taken. */
  #endPatience: (() => void) | null = null;
  #isOver = false;
  #emptied: () => void = () => undefined;

  /** `stalled` is called if no connection is taken for so many milliseconds. */
  constructor(addresses: Addresses, send: SendConnection, stalled: (ms: number) => void) {
    this.#addresses = addresses;
    this.#send = send;
    this.#stalled = stalled;
  }

  /** How many the successor has taken. */
  get taken(): number {
    return this.#taken;
  }

  /** Sends a connection (transferred). False: not now, and the caller keeps it; `giveMore` of its address follows. */
  give(id: number, connection: NativeHandle, moved: boolean): boolean {
    if (this.#isOver || this.#pause !== null || this.#sent.size >= WINDOW) return false;
    const seq = ++this.#lastSeq;
    const one: Sent = { id, connection, moved };
    this.#sent.set(seq, one);
    if (this.#endPatience === null) this.#awaitTaken();
    this.#send(seq, id, moved, connection, (error) => {
      if (error === null || !this.#sent.delete(seq)) return;
      if (this.#sent.size === 0) this.#stopWaiting();
      this.#pause ??= timers.setTimeout(() => {
        this.#pause = null;
        this.#giveMore();
      }, PAUSE_MS);
      this.#takeBack(one);
    });
    return true;
  }

  /** The successor has answered. A number that was not sent, or was answered before, is ignored. */
  answered(seq: number, taken: boolean): void {
    const one = this.#sent.get(seq);
    if (one === undefined) return;
    this.#sent.delete(seq);
    if (this.#sent.size > 0) this.#awaitTaken();
    else this.#stopWaiting();
    if (taken) this.#taken++;
    one.connection.close();
    this.#giveMore();
  }

  /** Resolves when no connection waits here, or is on its way. */
  async empty(): Promise<void> {
    while (!this.#isOver && (this.#sent.size > 0 || this.#addresses.queued > 0)) await new Promise<void>((resolve) => { this.#emptied = resolve; });
  }

  /** The successor has ended: what it has not taken is queued here again. */
  takeAllBack(): void {
    this.#isOver = true;
    this.#stopWaiting();
    timers.clearTimeout(this.#pause ?? undefined);
    for (const one of this.#sent.values()) this.#takeBack(one);
    this.#sent.clear();
    this.#emptied();
  }

  #awaitTaken(): void {
    this.#endPatience?.();
    this.#endPatience = epochClock.after(STALLED_MS, () => this.#stalled(STALLED_MS));
  }

  #stopWaiting(): void {
    this.#endPatience?.();
    this.#endPatience = null;
  }

  #giveMore(): void {
    this.#addresses.giveMore();
    if (this.#sent.size === 0) this.#emptied();
  }

  #takeBack({ id, connection, moved }: Sent): void {
    if (!this.#addresses.takeBack(id, connection, moved)) connection.close();
  }
}
