/**
 * How a process leaves without losing a request: it announces that, stops accepting connections, waits until the open
 * connections have ended, and closes idle ones.
 *
 *   serving ── leave ──► announcing ── delayMs is over, and the primary ──► out of rotation ── graceMs is over ──► finishing
 *                 │                    hands over no more connections              │                                  │
 *                 └─ (no primary that does, and delayMs is 0) ────────────────►    └────── no connection is open ─────┴──► drained
 *
 *   announcing       accepts connections as before, while load balancers learn that it leaves: responses say
 *                    `Connection: close`, and a health check can ask for `phase`
 *   out of rotation  accepts no more; each idle connection may send one more request
 *   finishing        idle connections are closed; requests in progress and upgraded connections go on
 *
 * Where other workers stay, connections move to them from the beginning of `out of rotation` (drain_moves.ts).
 *
 * Owns     the phase, and the timers
 * Used by  agent.ts (all servers of a supervised worker), orphan.ts, lib/graceful.ts (the servers that it is given), ending.ts,
 *          supervised.ts
 * Uses     drain_connections.ts, which knows the servers and their connections; drain_moves.ts
 * Keeps    1. idle http connections are closed `graceMs` after the last of them became idle. With `move` they have gone to
 *             other workers by then, unless they cannot move
 *          2. from `leave` to 'drained' a timer keeps the process alive
 */
import type { Socket } from 'node:net';
import { performance, timers } from '../../builtins';
import { epochClock } from '../../clock';
import { callApp } from '../app_calls';
import { ServerConnections } from './drain_connections';
import { IdleMoves } from './drain_moves';
import type { Moving } from '../../moving';

/** How far it is; see the diagram. */
export type DrainPhase = 'serving' | 'announcing' | 'out of rotation' | 'finishing' | 'drained';

/** How a process leaves. All times are in milliseconds. */
export interface Leave {
  /** How long it accepts connections before it closes the listening sockets. */
  readonly delayMs: number;
  /** How long an idle connection may still send a request. */
  readonly graceMs: number;
  /** Do idle connections move to other workers? Not if all workers leave, or if the primary does not answer. */
  readonly move?: boolean;
  /** For how long they stay all the same: the primary may say meanwhile that all workers leave. None by default. */
  readonly moveAfterMs?: number;
  /** How long the rest may take, counted from the end of the delay; Infinity if no supervisor has set a deadline. */
  readonly endMs: number;
}

/**
 * The shortest time between two looks for idle connections while others are still open, in milliseconds. It bounds the
 * work if `graceMs` is 0.
 */
const CLOSE_IDLE_MS = 50;
/** How long this process waits for the answer that no more connections come, in milliseconds. A primary that is not stopped answers within one. */
const WITHDRAW_MS = 1_000;

/** The end of the servers of a process, or of some of them. */
export class Drain {
  readonly #connections: ServerConnections;
  readonly #listeners: ((phase: DrainPhase) => void)[] = [];
  #phase: DrainPhase = 'serving';
  #leave: Leave = { delayMs: 0, graceMs: 0, endMs: Infinity };
  /** Calls off what ends this step: the end of `delayMs`, or that of the patience with the primary. */
  #cancelStep = (): void => undefined;
  /** The timer after which idle connections are closed. It keeps the process alive until it is drained, and no longer. */
  #closeTimer: NodeJS.Timeout | undefined;
  /** When `delayMs` ends, by `performance.now()`; Infinity while this process does not leave. */
  #delayEnds = Infinity;

  readonly #moving: Moving | undefined;
  readonly #moves: IdleMoves | null;
  /** Idle connections that were not closed with the others, because they may move. Each of them is spared once. */
  readonly #spared = new WeakSet<Socket>();

  /** `all`: a server that nobody has added is added with the first request that it gets. `moving`: moves connections. */
  constructor({ all, moving }: { all: boolean; moving?: Moving | undefined }) {
    this.#connections = new ServerConnections(all, () => void this.#isDrained());
    this.#moving = moving;
    this.#moves = moving === undefined ? null : new IdleMoves(moving, () => this.#connections.announceRest(), () => this.left);
  }

  get phase(): DrainPhase {
    return this.#phase;
  }

  /** How this process was told to leave. */
  get terms(): Leave {
    return this.#leave;
  }

  /** How many servers listen, or have connections. */
  get servers(): number {
    return this.#connections.servers;
  }

  /** Does any of the servers listen? */
  get isListening(): boolean {
    return this.#connections.isListening;
  }

  /** How many http requests, http2 streams and other connections were served. */
  get requests(): number {
    return this.#connections.requests;
  }

  /** How many connections are open. */
  get left(): number {
    return this.#connections.open;
  }

  /** Calls `listener` with each phase that begins from now on. */
  on(listener: (phase: DrainPhase) => void): void {
    this.#listeners.push(listener);
  }

  /** Adds a server, before or after it listens. Anything that is no net.Server (a UDP socket) is ignored. */
  add(server: unknown): void {
    this.#connections.add(server);
  }

  /** Begins to leave. A later call can end the delay sooner, and with `move: false` the moves, as all workers leave now; otherwise it has no effect. */
  leave(leave: Leave): void {
    if (!this.#accepts) {
      if (leave.move === false) this.#moves?.end();
      return;
    }
    const isFirst = this.#phase === 'serving';
    const delayEnds = performance.now() + leave.delayMs;
    if (!isFirst && delayEnds >= this.#delayEnds) return;
    this.#leave = leave;
    this.#delayEnds = delayEnds;
    this.#cancelStep();
    // This comes first: a response in progress on a connection that will move is not the last one of that connection.
    if (leave.move === true && leave.delayMs === 0) this.#moves?.begin(leave.moveAfterMs);
    if (isFirst) this.#connections.announce((socket, isBusy) => this.#leave.move === true && this.#moves?.willMove(socket, isBusy) === true);
    if (leave.delayMs > 0) this.#cancelStep = epochClock.after(leave.delayMs, () => this.#withdraw());
    else this.#withdraw();
    if (isFirst && this.#phase === 'serving') this.#transition('announcing');
  }

  /** Stops accepting when no connection is on its way from the primary any more. */
  #withdraw(): void {
    if (this.#moving?.withdraw === undefined) return this.#stopAccepting();
    this.#cancelStep = epochClock.after(Math.min(WITHDRAW_MS, this.#leave.endMs / 4), () => this.#stopAccepting());
    this.#moving.withdraw(() => this.#stopAccepting());
  }

  /** Closes all connections now. Returns how many there were. */
  cut(): number {
    const { left } = this;
    this.#connections.cut();
    return left;
  }

  get #accepts(): boolean {
    return this.#phase === 'serving' || this.#phase === 'announcing';
  }

  #stopAccepting(): void {
    if (!this.#accepts) return;
    this.#cancelStep();
    this.#connections.stopAccepting();
    this.#transition('out of rotation');
    // Moves begin in an immediate. By then the primary knows that this worker accepts no more, and gives its connections to others.
    if (this.#leave.move === true) this.#moves?.begin(this.#leave.moveAfterMs);
    if (!this.#isDrained()) this.#closeIdleAfter(this.#leave.graceMs);
  }

  /** Closes idle connections `ms` milliseconds from now, or when none has been active for the grace. Repeats that until drained. */
  #closeIdleAfter(ms: number): void {
    this.#closeTimer = timers.setTimeout(() => {
      if (this.#isDrained()) return;
      const leftMs = this.#leave.graceMs - this.#connections.idleForMs;
      if (leftMs > 0) return this.#closeIdleAfter(leftMs);
      // Immediates run after the poll phase: a request that the kernel has by now is read first, and its connection is not idle.
      timers.setImmediate(() => void this.#closeIdle());
    }, Math.max(1, Math.ceil(ms)));
  }

  async #closeIdle(): Promise<void> {
    const { graceMs, move } = this.#leave;
    if (move === true) await this.#moves?.now();
    if (this.#isDrained()) return;
    if (this.#connections.idleForMs < graceMs) return this.#closeIdleAfter(graceMs);
    this.#connections.closeIdle((socket) => this.#spares(socket));
    if (this.#phase === 'out of rotation') this.#transition('finishing');
    if (!this.#isDrained()) this.#closeIdleAfter(Math.max(graceMs, CLOSE_IDLE_MS));
  }

  /**
   * Does this idle connection stay open once more? A connection that may move and has not moved yet may just have become
   * idle, and its next request may be here. If it is still here when the time is over again, something else keeps it.
   */
  #spares(socket: Socket): boolean {
    if (this.#spared.has(socket) || this.#moves?.willMove(socket) !== true) return false;
    this.#spared.add(socket);
    return true;
  }

  /** Is it drained? Moves to 'drained' if it has just become so. */
  #isDrained(): boolean {
    if (this.#accepts || this.#phase === 'drained' || this.left > 0) return this.#phase === 'drained';
    timers.clearTimeout(this.#closeTimer);
    this.#transition('drained');
    return true;
  }

  #transition(phase: DrainPhase): void {
    this.#phase = phase;
    for (const listener of this.#listeners) callApp(() => listener(phase));
  }
}
