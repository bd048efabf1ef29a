/**
 * One worker process of a fleet: when it is ready, whether its event loop answers, when it is too old, how it leaves.
 * It exchanges messages with the agent in the worker (worker/agent.ts), and does without one that does not answer.
 *
 *   starting ── it does what the option `ready` asks for ──► ready
 *   leaving: told ── the agent says 'out' ──► out of rotation ── 'finishing' ──► finishing ── 'drained' ──► disconnecting
 *              └── no answer ──► disconnecting                  disconnecting ── still runs ──► terminating (SIGTERM)
 *            and at the deadline, from any of these phases: killing (SIGKILL)
 *
 * Owns     its timers. `leave` and `kill` end the process
 * Used by  worker_starts.ts, one for each fork
 * Uses     worker_events.ts (the events of the process), readiness.ts, health.ts, debugged_process.ts, ending_process.ts,
 *          worker_words.ts
 * Keeps    1. `ready`, `lost` and `ended` are emitted at most once each. The end of a worker that was told to leave
 *             is not a loss
 *          2. the first of 'exit', 'disconnect' and the deadline of the start is the loss; of a process that ends it is
 *             the 'exit', although its 'disconnect' comes before
 *          3. once a worker leaves, it gets SIGKILL `leaveTimeoutMs` later at the latest (plus the delay of a stop). A
 *             worker that never listened and was never ready gets it after EXIT_MS + `killMs`
 */
import type { Worker } from 'node:cluster';
import type { CheckedOptions } from './options';
import { isDebugged } from './debugged_process';
import { startsInspected } from './debugger';
import { isEnding } from './ending_process';
import { movedOf } from '../moving';
import { Health } from './health';
import { Readiness } from './readiness';
import type { StderrOutput } from './stderr_lines';
import type { EpochClock } from '../clock';
import type { Figures, Generation, LeavingPhase, Member, MemberEvents, ProcessState } from './states';
import { SUPERVISOR, type AgentMessage, type SupervisorMessage } from './wire';
import { listenToWorker } from './worker_events';
import { WorkerWords } from './worker_words';

/**
 * How long a worker that was told to leave may take to answer 'out', in milliseconds. It answers in its next turn, so
 * one that has not after two seconds is hung or has no agent, and its channel is closed instead.
 */
const OUT_MS = 2_000;
/** How long after its 'disconnect' a process is looked at: does it end? In milliseconds. Usually its 'exit' comes before. */
const EXIT_AFTER_DISCONNECT_MS = 50;
/** How often it is looked at again, if it does end: for 10 s. A process can hang in the kernel while it ends, and its place must not stay empty. */
const MOST_LOOKS = 200;
/** How long a process whose channel is closed may take to exit by itself before SIGTERM, in milliseconds. */
const EXIT_MS = 1_000;

/** What a worker process needs from its supervisor. */
export interface WorkerProcessPorts extends MemberEvents {
  readonly clock: EpochClock;
  /** Returns numbers from 0 to 1. */
  readonly random: () => number;
  /** For a worker that is told to leave now: the milliseconds for which it still accepts (0 if `atOnce`), and whether its connections move to others. */
  readonly leaving: (atOnce: boolean) => { readonly delayMs: number; readonly move: boolean };
  /** The addresses at which the worker has to listen before it is ready; see readiness.ts. */
  readonly expected: () => ReadonlySet<string>;
  /** Where the worker's stderr is written, line by line; null if the supervisor does not write it. */
  readonly output: StderrOutput | null;
  transition(member: WorkerProcess, from: ProcessState): void;
}

/** A Worker of the public cluster object, as a member of a fleet. */
export class WorkerProcess implements Member {
  readonly slot: number;
  readonly generation: Generation;
  readonly #worker: Worker;
  readonly #options: CheckedOptions;
  readonly #ports: WorkerProcessPorts;
  readonly #words: WorkerWords;
  readonly #health: Health;
  readonly #readiness: Readiness;
  readonly #timers = new Set<() => void>();
  #state: ProcessState;
  /** Has the cluster reported that it listens somewhere? */
  #hasListened = false;
  #isDisconnected = false;
  /** Is it debugged? At first: was it started with an inspector; later: the answer of `isDebugged` at the deadline of its start. */
  #isInspected: boolean;

  constructor(worker: Worker, slot: number, generation: Generation, options: CheckedOptions, ports: WorkerProcessPorts) {
    this.#worker = worker;
    this.slot = slot;
    this.generation = generation;
    this.#options = options;
    this.#ports = ports;
    this.#state = { is: 'starting', since: ports.clock.now() };
    const { spawnargs } = worker.process;
    this.#words = new WorkerWords(worker, ports.clock, ports.output);
    this.#readiness = new Readiness(options.ready, ports.expected);
    this.#health = new Health(options, {
      clock: ports.clock,
      random: ports.random,
      ping: (seq) => this.#send({ act: 'ping', seq }),
      tooOld: (reason) => ports.retiring(this, reason, false),
      isDebugged: (answer) => this.#isDebugged(answer),
      silent: () => this.#silent(),
    });
    listenToWorker(worker, {
      online: () => this.#readyIf(this.#readiness.online()),
      listening: () => this.#listening(),
      message: (message) => this.#readyIf(this.#readiness.messageReceived(message)),
      agentMessage: (message) => this.#agentMessage(message),
      disconnected: () => this.#disconnected(),
      exited: (code, signal) => this.#exited(code, signal),
      notStarted: (error) => this.#exited(null, null, error.message),
    });
    this.#isInspected = startsInspected(spawnargs.slice(0, spawnargs.indexOf(generation.exec)));
    if (!this.#isInspected) this.#after(options.readyTimeoutMs, () => this.#notReadyInTime());
  }

  get id(): number {
    return this.#worker.id;
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  get moved(): number | null {
    return movedOf(this.#worker);
  }

  get state(): ProcessState {
    return this.#state;
  }

  get listens(): ReadonlySet<string> {
    return this.#readiness.listens;
  }

  get figures(): Figures | null {
    return this.#health.figures;
  }

  stderr(): Promise<string> {
    return this.#words.last();
  }

  // ── starting, serving ──────────────────────────────────────────────────────────────────────────

  #listening(): void {
    this.#hasListened = true;
    this.#readyIf(this.#readiness.listening());
  }

  #readyIf(isReady: boolean): void {
    if (!isReady || this.#state.is !== 'starting') return;
    this.#cancelTimers();
    this.#transition({ is: 'ready', since: this.#ports.clock.now() });
    this.#health.start(this.#isInspected);
    this.#ports.ready(this);
  }

  #notReadyInTime(): void {
    if (this.#state.is !== 'starting') return;
    if (this.#readiness.deadline()) return this.#readyIf(true);
    this.#isDebugged((isDebugged) => {
      if (this.#state.is !== 'starting') return;
      this.#isInspected = isDebugged;
      if (!isDebugged) this.#tooLate();
    });
  }

  #isDebugged(answer: (isDebugged: boolean) => void): void {
    if (this.pid === undefined) return answer(false);
    void isDebugged(this.pid).then(answer);
  }

  #tooLate(): void {
    this.#lose(`not ready within ${this.#options.readyTimeoutMs} ms${this.#readiness.missing}`);
  }

  /** Its event loop has not answered in time. It cannot leave the rotation by itself, so the primary closes its channel. */
  #silent(): void {
    if (this.#state.is !== 'ready') return;
    this.#lose(`did not answer for ${this.#options.pingTimeoutMs} ms`);
    // If it wakes up before this, it can still answer the requests that it has taken.
    this.#after(Math.min(this.#options.pingTimeoutMs, this.#options.leaveTimeoutMs), () => this.kill());
  }

  #agentMessage(message: AgentMessage): void {
    if (message.act === 'last words') this.#words.error(message.text); // It can arrive after 'exit'.
    if (this.#state.is === 'gone') return;
    switch (message.act) {
      case 'last words': return;
      case 'pong': return this.#health.pong(message);
      case 'suicide':
        this.#send({ act: 'noted' });
        return this.#ports.retiring(this, message.reason, true);
      case 'listens': return this.#readiness.addresses(message.at);
      case 'checked': return this.#readyIf(this.#readiness.checked(message.complaint === '' ? null : message.complaint));
      case 'out': return void this.#advance('out of rotation');
      case 'finishing': return void this.#advance('finishing');
      case 'drained': return this.#disconnect();
      default: return message satisfies never;
    }
  }

  serve(): void {
    this.#send({ act: 'serve' });
  }

  // ── leaving ────────────────────────────────────────────────────────────────────────────────────

  leave(reason: string, atOnce: boolean): void {
    if (this.#state.is === 'leaving' || this.#state.is === 'gone') return;
    // A worker that never listened and was never ready has no connections to finish.
    const hasServed = this.#state.is === 'ready' || this.#hasListened;
    this.#cancelTimers();
    this.#transition({ is: 'leaving', since: this.#ports.clock.now(), phase: 'told', reason });
    const { idleGraceMs, killMs } = this.#options;
    const leaveTimeoutMs = hasServed ? this.#options.leaveTimeoutMs : Math.min(this.#options.leaveTimeoutMs, EXIT_MS + killMs);
    const { delayMs, move } = hasServed ? this.#ports.leaving(atOnce) : { delayMs: 0, move: false };
    this.#after(delayMs + leaveTimeoutMs, () => this.kill());
    this.#after(delayMs + leaveTimeoutMs - killMs, () => {
      this.#disconnect();
      this.#terminate();
    });
    this.#send({ act: 'leave', delayMs, graceMs: Math.min(idleGraceMs, leaveTimeoutMs / 2), endMs: leaveTimeoutMs - killMs, timeoutMs: leaveTimeoutMs, move });
    if (atOnce || !hasServed) return this.#disconnect();
    this.#after(delayMs + Math.min(OUT_MS, leaveTimeoutMs / 4), () => {
      if (this.#state.is === 'leaving' && this.#state.phase === 'told') this.#disconnect();
    });
  }

  kill(): void {
    if (this.#state.is === 'gone') return;
    if (this.#state.is !== 'leaving') this.#transition({ is: 'leaving', since: this.#ports.clock.now(), phase: 'told', reason: 'killed' });
    this.#advance('killing');
    this.#worker.process.kill('SIGKILL');
  }

  #disconnect(): void {
    if (!this.#advance('disconnecting')) return;
    if (this.#worker.isConnected()) this.#worker.disconnect();
    this.#after(EXIT_MS, () => this.#terminate());
  }

  #terminate(): void {
    if (this.#advance('terminating')) this.#worker.process.kill('SIGTERM');
  }

  /** Moves to a later phase. False if the worker does not leave, or is in that phase or a later one. */
  #advance(phase: LeavingPhase): boolean {
    const state = this.#state;
    if (state.is !== 'leaving' || phases.indexOf(phase) <= phases.indexOf(state.phase)) return false;
    this.#transition({ ...state, phase });
    return true;
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────

  /** It serves no more, though nobody told it to leave. Its process has to end. */
  #lose(reason: string): void {
    this.leave(reason, true);
    this.#ports.lost(this, reason);
  }

  #disconnected(): void {
    if (this.#isDisconnected) return;
    this.#isDisconnected = true;
    switch (this.#state.is) {
      case 'starting': case 'ready': return this.#awaitExit();
      case 'leaving': return this.#disconnect();
      case 'gone': return;
    }
  }

  /** A process that ends closes its channel first. Its 'exit' says how it ended, on a busy machine later. */
  #awaitExit(looks = MOST_LOOKS): void {
    this.#after(EXIT_AFTER_DISCONNECT_MS, () => {
      if (looks > 0 && this.pid !== undefined && isEnding(this.pid)) return this.#awaitExit(looks - 1);
      this.#lose(this.#worker.exitedAfterDisconnect ? 'left by itself' : 'disconnected');
    });
  }

  #exited(code: number | null, signal: NodeJS.Signals | null, error?: string): void {
    if (this.#state.is === 'gone') return;
    this.#cancelTimers();
    this.#health.stop();
    const end = error ?? (signal === null ? `exited with ${code}` : `killed by ${signal}`);
    const reason = this.#state.is === 'leaving' ? this.#state.reason : end;
    this.#transition({ is: 'gone', since: this.#ports.clock.now(), reason, code, signal });
    this.#ports.ended(this);
  }

  #send(message: SupervisorMessage): void {
    if (!this.#worker.isConnected()) return;
    // The worker may die before it reads the message. Its 'exit' reports that, so the error of `send` does not matter.
    this.#worker.process.send({ cmd: SUPERVISOR, ...message }, undefined, undefined, () => undefined);
  }

  #transition(to: ProcessState): void {
    const from = this.#state;
    this.#state = to;
    if (to.is === 'leaving') this.#health.stop();
    this.#ports.transition(this, from);
  }

  #after(ms: number, call: () => void): void {
    const cancel = this.#ports.clock.after(ms, () => {
      this.#timers.delete(cancel);
      call();
    });
    this.#timers.add(cancel);
  }

  #cancelTimers(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }
}

const phases: readonly LeavingPhase[] = ['told', 'out of rotation', 'finishing', 'disconnecting', 'terminating', 'killing'];
