/**
 * While a process leaves, its idle connections move to workers that stay: those that are idle now, and each other one as
 * soon as it becomes idle. So no client has to connect again, and nobody waits for an idle connection.
 *
 *   off ── begin ──► moving ── the primary has refused MOST_REFUSED times in a row, or stands still, or `end` ──► over
 *                     └──► what it refused is offered again after AGAIN_MS
 *
 * The primary refuses a connection while too many wait there, and while dispatch is paused: both are soon over. It also
 * refuses if nobody else listens, which lasts. In the state `over` the connections that are left come to their end as
 * without this file (drain_connections.ts). What is still offered then is the primary's as soon as it goes on, also if this
 * process is gone by then.
 *
 * Owns     the subscriptions to EVENTS and the timer of the next pass, while it moves connections
 * Used by  drain.ts
 * Uses     moving.ts: the cluster's worker does the work. On Node's own cluster there is none, and no such object
 * Keeps    one pass at a time; a response that finishes, or a connection that arrives, during a pass causes another one
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { timers } from '../../builtins';
import type { Moving, Returned } from '../../moving';

/** After these events a connection may be idle. A new one was on its way here when this process stopped accepting. */
const EVENTS = ['http.server.response.finish', 'net.server.socket'] as const;
/** Milliseconds until refused connections are offered again. Longer than a pause of dispatch (master/dispatch_pause.ts). */
const AGAIN_MS = 25;
/** After this many passes in a row in which the primary took no connection, nobody is there to take them: half a second in all. */
const MOST_REFUSED = 20;
/** If no connection has left this process for so many milliseconds of a pass, the primary stands still: it takes one in less than one. */
const STILL_MS = 3_000;

/** Moves the connections of a leaving process. */
export class IdleMoves {
  readonly #moving: Moving;
  readonly #over: () => void;
  readonly #open: () => number;
  #state: 'off' | 'moving' | 'over' = 'off';
  /** The running pass; null if none runs. */
  #pass: Promise<void> | null = null;
  #again = false;
  /** The number of passes in a row that have moved nothing, because the primary refused. */
  #refusals = 0;

  /** `over` is called once, when no more connections are moved. `open`: how many connections this process has. */
  constructor(moving: Moving, over: () => void, open: () => number = () => 0) {
    this.#moving = moving;
    this.#over = over;
    this.#open = open;
  }

  /** `afterMs`: the first pass is so many milliseconds later. */
  begin(afterMs = 0): void {
    if (this.#state !== 'off') return;
    this.#state = 'moving';
    for (const event of EVENTS) subscribe(event, this.#soon);
    if (afterMs === 0) return this.#soon();
    this.#pass = new Promise<void>((resolve) => timers.setTimeout(resolve, afterMs)).then(() => this.#move());
  }

  /** Moves no more. */
  end(): void {
    if (this.#state !== 'moving') return;
    this.#state = 'over';
    for (const event of EVENTS) unsubscribe(event, this.#soon);
    this.#over();
  }

  /** Will this connection move when it is idle? Then nothing has to be said to its client. `isBusy`: a response is in progress on it. */
  willMove(socket: Socket, isBusy = false): boolean {
    return this.#state === 'moving' && this.#moving.mayMove(socket, isBusy);
  }

  /** Moves what is idle now. Resolves when that is done. */
  now(): Promise<void> {
    this.#soon();
    return this.#pass ?? Promise.resolve();
  }

  readonly #soon = (): void => {
    if (this.#state !== 'moving') return;
    if (this.#pass !== null) this.#again = true;
    else this.#pass = this.#move();
  };

  async #move(): Promise<void> {
    this.#again = true;
    while (this.#again && this.#state === 'moving') {
      this.#again = false;
      const result = await this.#answered(this.#moving.returnIdle());
      if (result === null) this.end();
      else if (result.refused > 0) this.#refusedOnce(result.moved > 0);
      else this.#refusals = 0;
    }
    this.#pass = null;
  }

  /** The result of a pass; null if the primary stands still. */
  #answered(pass: Promise<Returned>): Promise<Returned | null> {
    let timer: NodeJS.Timeout | undefined;
    let before = this.#open();
    const still = new Promise<null>((resolve) => {
      const look = (): void => {
        const now = this.#open();
        if (now >= before) resolve(null);
        before = now;
      };
      // Behind the poll phase: if this process itself was stopped, the answers of the primary are here, and not read yet.
      timer = timers.setInterval(() => void timers.setImmediate(look), STILL_MS);
    });
    return Promise.race([pass, still]).finally(() => timers.clearInterval(timer));
  }

  #refusedOnce(someMoved: boolean): void {
    this.#refusals = someMoved ? 1 : this.#refusals + 1;
    if (this.#refusals >= MOST_REFUSED) this.end();
    else timers.setTimeout(this.#soon, AGAIN_MS);
  }
}
