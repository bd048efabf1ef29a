/**
 * One worker process of a fleet: when it is ready, how it leaves, whether it still answers, when it is
 * too old. It speaks to its part in the worker (worker/agent.ts), and does without where that does not answer.
 *
 *   starting ── 'listening' or the app's 'ready' ──► ready
 *   leaving: told ── out ──► out of rotation ── finishing ──► finishing ── drained ──► disconnecting
 *              └── no answer ──► disconnecting            ── still alive ──► terminating (SIGTERM)
 *            and at the deadline, wherever it is: killing (SIGKILL)
 *
 * Owns     its timers, the end of its stderr, its last words; the process is ended by `leave` or `kill`
 * Used by  supervisor.ts, one for each fork
 * Never    is told to be ready, lost or ended twice; a death that was asked for is no loss
 * Keeps    1. the first of 'exit', 'disconnect' and the deadline of the start is the loss
 *          2. once it leaves, SIGKILL comes at `leaveTimeoutMs` at the latest; for a worker that never
 *             listened and was never ready EXIT_MS and `killMs` after it was told
 *          3. a listener of the program's that throws keeps no event from this object: its own listeners are
 *             there from the fork on, before all but those that a program prepends to the worker later.
 *             Therefore each event is heard at the ChildProcess as well, from which the cluster makes it
 */
import type { Worker } from 'node:cluster';
import type { Checked } from './options';
import { startsInspected } from './debugger';
import { Readiness } from './readiness';
import { Lines, type Output } from './stderr_lines';
import { LATE_MS, Tail } from './stderr_tail';
import type { EpochClock } from '../clock';
import type { Generation, LeavingPhase, Member, MemberEvents, ProcessState } from './states';
import { SUPERVISOR, readNews, readWord, type Order, type Word } from './wire';
import { Watch } from './health';

/** How long a worker that was told to leave may take to leave the rotation. */
const OUT_MS = 2_000;
/** How long the 'exit' of a process that has ended may come after its 'disconnect'. */
const ENDING_MS = 50;
/** How long a process whose channel is closed may take to end by itself. */
const EXIT_MS = 1_000;

/** What a process needs from its supervisor. */
export interface ProcessPorts extends MemberEvents {
  readonly clock: EpochClock;
  readonly random: () => number;
  /** How long a worker that is told to leave now goes on accepting. */
  readonly delayMs: () => number;
  /** Where those listen whom the worker is to be like; see readiness.ts. */
  readonly expected: () => ReadonlySet<string>;
  /** Where the worker's stderr is written to, line by line; null if that is none of ours. */
  readonly output: Output | null;
  transition(member: Process, from: ProcessState): void;
}

/** A worker of the public cluster object, as a member of the fleet. */
export class Process implements Member {
  readonly slot: number;
  readonly generation: Generation;
  readonly #worker: Worker;
  readonly #options: Checked;
  readonly #ports: ProcessPorts;
  readonly #tail: Tail;
  readonly #watch: Watch;
  readonly #readiness: Readiness;
  readonly #timers = new Set<() => void>();
  #state: ProcessState;
  #address: string | null = null;
  #lastWords = '';
  #isDisconnected = false;
  /** It was started with an inspector. */
  readonly #inspected: boolean;

  constructor(worker: Worker, slot: number, generation: Generation, options: Checked, ports: ProcessPorts) {
    this.#worker = worker;
    this.slot = slot;
    this.generation = generation;
    this.#options = options;
    this.#ports = ports;
    this.#state = { is: 'starting', since: ports.clock.now() };
    const { stderr } = worker.process;
    this.#tail = new Tail(stderr);
    if (stderr !== null && ports.output !== null) new Lines(stderr, ports.output);
    this.#readiness = new Readiness(options.ready, ports.expected);
    this.#watch = new Watch(options, {
      clock: ports.clock,
      random: ports.random,
      ping: (seq) => this.#order({ act: 'ping', seq }),
      tooOld: (reason) => ports.retiring(this, reason, false),
      silent: () => this.#silent(),
    });

    worker.prependListener('online', () => this.#readyIf(this.#readiness.online()));
    worker.prependListener('listening', (address) => this.#listens(address));
    worker.prependListener('message', (message: unknown) => this.#readyIf(this.#readiness.said(message)));
    worker.prependListener('disconnect', () => this.#disconnected());
    worker.prependListener('exit', (code, signal) => this.#exited(code, signal as NodeJS.Signals | null));
    this.#hearAt(worker.process);
    worker.prependListener('error', (error: Error) => {
      // A process that was never there has no 'exit'.
      if (worker.process.pid === undefined) this.#exited(null, null, error.message);
    });
    const { spawnargs } = worker.process;
    this.#inspected = startsInspected(spawnargs.slice(0, spawnargs.indexOf(generation.exec)));
    if (!this.#inspected) this.#after(options.readyTimeoutMs, () => this.#late());
  }

  /** The cluster tells of each of these in the course of the same event, if no listener before ours throws: this is for when one does. */
  #hearAt(child: Worker['process']): void {
    child.prependListener('internalMessage' as 'message', (value: unknown) => {
      this.#heard(readWord(value));
      const news = readNews(value);
      if (news?.act === 'online') process.nextTick(() => this.#readyIf(this.#readiness.online()));
      if (news?.act === 'listening') process.nextTick(() => this.#listens(news));
    });
    child.prependListener('message', (message: unknown) => process.nextTick(() => this.#readyIf(this.#readiness.said(message))));
    child.prependListener('disconnect', () => process.nextTick(() => this.#disconnected()));
    child.prependListener('exit', (code, signal) => process.nextTick(() => this.#exited(code, signal)));
  }

  get id(): number {
    return this.#worker.id;
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** Where it listens first, for people to read. */
  get address(): string | null {
    return this.#address;
  }

  get listens(): ReadonlySet<string> {
    return this.#readiness.listens;
  }

  async stderr(): Promise<string> {
    const text = await this.#tail.text();
    if (text === '' && this.#worker.isConnected()) {
      // Its process is gone, and its last message may still be in the channel.
      await new Promise<void>((resolve) => {
        const cancel = this.#ports.clock.after(LATE_MS, resolve);
        this.#worker.once('disconnect', () => {
          cancel();
          resolve();
        });
      });
    }
    return text === '' ? this.#lastWords : text;
  }

  // ── starting, serving ──────────────────────────────────────────────────────────────────────────

  #listens({ address, port }: { address: string; port: number }): void {
    this.#address ??= port > 0 ? `${address ?? ''}:${port}` : String(address);
    this.#readyIf(this.#readiness.listening());
  }

  #readyIf(isReady: boolean): void {
    if (!isReady || this.#state.is !== 'starting') return;
    this.#cancelTimers();
    this.#transition({ is: 'ready', since: this.#ports.clock.now() });
    this.#watch.start(this.#inspected);
    this.#ports.ready(this);
  }

  #late(): void {
    if (this.#state.is !== 'starting') return;
    if (this.#readiness.late()) return this.#readyIf(true);
    this.#lose(`not ready within ${this.#options.readyTimeoutMs} ms${this.#readiness.missing}`);
  }

  /** Its event loop has not answered for too long: the primary takes it out of the rotation by itself. */
  #silent(): void {
    if (this.#state.is !== 'ready') return;
    this.#lose(`did not answer for ${this.#options.pingTimeoutMs} ms`);
    // What it has taken and not answered waits for its end.
    this.#after(Math.min(this.#options.pingTimeoutMs, this.#options.leaveTimeoutMs), () => this.kill());
  }

  #heard(word: Word | null): void {
    if (word?.act === 'last words') this.#lastWords = word.text.slice(0, 4_096); // Also after its 'exit'.
    if (word === null || this.#state.is === 'gone') return;
    switch (word.act) {
      case 'last words': return;
      case 'pong': return this.#watch.pong(word.seq, word.rss, word.requests, word.inspected);
      case 'suicide':
        this.#order({ act: 'noted' });
        return this.#ports.retiring(this, word.reason, true);
      case 'listens': return this.#readiness.addresses(word.at);
      case 'checked': return this.#readyIf(this.#readiness.checked(word.complaint === '' ? null : word.complaint));
      case 'out': return void this.#advance('out of rotation');
      case 'finishing': return void this.#advance('finishing');
      case 'drained': return this.#disconnect();
      default: return word satisfies never;
    }
  }

  serve(): void {
    this.#order({ act: 'serve' });
  }

  // ── leaving ────────────────────────────────────────────────────────────────────────────────────

  leave(reason: string, atOnce: boolean): void {
    if (this.#state.is === 'leaving' || this.#state.is === 'gone') return;
    const served = this.#state.is === 'ready' || this.#address !== null;
    this.#cancelTimers();
    this.#transition({ is: 'leaving', since: this.#ports.clock.now(), phase: 'told', reason });
    const { idleGraceMs, killMs } = this.#options;
    // Who has never listened and was never ready has nothing to finish.
    const leaveTimeoutMs = served ? this.#options.leaveTimeoutMs : Math.min(this.#options.leaveTimeoutMs, EXIT_MS + killMs);
    const delayMs = atOnce || !served ? 0 : this.#ports.delayMs();
    this.#after(delayMs + leaveTimeoutMs, () => this.kill());
    this.#after(delayMs + leaveTimeoutMs - killMs, () => {
      this.#disconnect();
      this.#terminate();
    });
    this.#order({ act: 'leave', delayMs, graceMs: Math.min(idleGraceMs, leaveTimeoutMs / 2), endMs: leaveTimeoutMs - killMs, timeoutMs: leaveTimeoutMs });
    if (atOnce || !served) return this.#disconnect();
    this.#after(delayMs + Math.min(OUT_MS, leaveTimeoutMs / 4), () => {
      if (this.#phase === 'told') this.#disconnect();
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

  get #phase(): LeavingPhase | null {
    return this.#state.is === 'leaving' ? this.#state.phase : null;
  }

  /** The next phase, if it is one: a worker that is a step further does not go back. */
  #advance(phase: LeavingPhase): boolean {
    const state = this.#state;
    if (state.is !== 'leaving' || phases.indexOf(phase) <= phases.indexOf(state.phase)) return false;
    this.#transition({ ...state, phase });
    return true;
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────

  /** It serves no more; its process has to go. */
  #lose(reason: string): void {
    this.leave(reason, true);
    this.#ports.lost(this, reason);
  }

  #disconnected(): void {
    if (this.#isDisconnected) return;
    this.#isDisconnected = true;
    switch (this.#state.is) {
      case 'starting': case 'ready':
        // A process that ends closes its channel on the way, and can say how in a moment.
        this.#after(ENDING_MS, () => this.#lose(this.#worker.exitedAfterDisconnect ? 'left by itself' : 'disconnected'));
        return;
      case 'leaving': return this.#disconnect();
      case 'gone': return;
    }
  }

  #exited(code: number | null, signal: NodeJS.Signals | null, error?: string): void {
    if (this.#state.is === 'gone') return;
    this.#cancelTimers();
    this.#watch.stop();
    const ended = error ?? (signal === null ? `exited with ${code}` : `killed by ${signal}`);
    const reason = this.#state.is === 'leaving' ? this.#state.reason : ended;
    this.#transition({ is: 'gone', since: this.#ports.clock.now(), reason, code, signal });
    this.#ports.ended(this);
  }

  #order(order: Order): void {
    if (!this.#worker.isConnected()) return;
    // It may die before it reads this, which its 'exit' tells.
    this.#worker.process.send({ cmd: SUPERVISOR, ...order }, undefined, undefined, () => undefined);
  }

  #transition(to: ProcessState): void {
    const from = this.#state;
    this.#state = to;
    if (to.is === 'leaving') this.#watch.stop();
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
