/**
 * A primary that is replaced: starts its successor, waits until that is ready, and hands over what it has.
 *
 *   starting ── hello ──► preparing ── ready ──► committing ── serving ──► leaving ── done ──► this process ends
 *      └──────────────────────┴─────────────────────┴────────────────────────┘
 *              the successor ends, fails, is late, or a stop comes first: it is ended, and everything goes on here
 *
 *   leaving: this process accepts, and gives each connection to the successor, while its workers leave. When they are gone it
 *   stops accepting, and sends the shared state: the successor accepts as soon as it has that. Until then new clients wait in
 *   the kernel's queue
 *
 * Owns     the successor's process and the link until the end of `run`
 * Used by  supervisor/replacing.ts
 * Uses     start.ts, link.ts, messages.ts, registry.ts, given_connections.ts
 * Never    stops accepting before it has only one more message to send
 * Keeps    1. a connection is closed here only after the successor has said that a worker there has it. If the successor ends
 *             before, the connection is queued here again. The worker acknowledges it to the successor and then reads from it,
 *             so if the successor is killed between that acknowledgement and `taken`, a worker of each primary has the connection
 *          2. an answer that is here is never late, also if this process was stopped (SIGSTOP) for longer than the deadline
 *          3. after a failure the successor does not run any more, or is about to get SIGKILL
 *          4. until `done` is read here, this process can serve again: it has all listening sockets and the shared state
 */
import type { ChildProcess } from 'node:child_process';
import { timers } from '../builtins';
import { epochClock } from '../clock';
import { nodeError } from '../errors';
import { GivenConnections } from './given_connections';
import type { Link } from './link';
import { PROTOCOL, isOfSuccessor, type SuccessorMessage } from './messages';
import { leavePlaces, snapshotParts, socketsHere, stateHere, takePlacesAgain, type Addresses, type SharedStateHere } from './registry';
import { startSuccessor, type SuccessorProgram } from './start';

/** How long the successor may take to answer once it is ready, in milliseconds: it answers in its next turn. One that does not is hung. */
const ANSWER_MS = 10_000;
/** How long workers that are ready may take to listen, in milliseconds: with `ready: 'online'` they are ready before they do. */
const LISTEN_MS = 2_000;
/** How long a successor that was called off may take to end, in milliseconds. */
const END_MS = 2_000;
/** How long the 'exit' of a successor may come after the end of its channel, in milliseconds: it says better how it ended. The system closes the files of a process first. */
const EXIT_MS = 1_000;

/** What the supervisor does for the handover. */
export interface PredecessorPorts {
  readonly addresses: Addresses;
  /** The successor serves: all workers leave, and give their connections back. Resolves when they are gone. */
  leave(pid: number): Promise<unknown>;
  /** The successor has ended after that: workers are wanted again. */
  stay(): void;
}

/** What an upgrade has done. */
export interface UpgradeReport {
  /** The new primary. */
  readonly pid: number;
  /** Its version of Node. */
  readonly node: string;
  /** How many connections went from this primary to the new one, those that workers have given back included. */
  readonly connections: number;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

const failed = (reason: string): Error => nodeError(Error, 'ERR_UPGRADE_FAILED', `The new primary was not taken: ${reason}. This one goes on`);

/** One replacement of this primary. */
export class Predecessor {
  readonly #ports: PredecessorPorts;
  readonly #readyTimeoutMs: number;
  readonly #child: ChildProcess;
  readonly #link: Link | null;
  readonly #began = performance.now();
  /** Waits for a message; each has another `act`. */
  #expected: { readonly act: SuccessorMessage['act']; resolve(message: SuccessorMessage): void } | null = null;
  /** The last message of each kind that has come before it was waited for. */
  readonly #early = new Map<SuccessorMessage['act'], SuccessorMessage>();
  #reject: (error: Error) => void = () => undefined;
  /** Why the successor cannot be taken any more; null while it can. */
  #failure: Error | null = null;
  #hasCommitted = false;
  #isLeaving = false;
  /** The shared state; null if there was none when the successor began. */
  #state: SharedStateHere | null = null;
  /** How many of the successor's messages for it were handled. */
  #handled = 0;
  /** Was the state sent? Then messages for it, which have crossed, are the successor's. */
  #hasGivenState = false;
  readonly #given: GivenConnections;

  /** Starts the successor. Throws what the system says. */
  constructor(program: SuccessorProgram, readyTimeoutMs: number, ports: PredecessorPorts) {
    this.#ports = ports;
    this.#readyTimeoutMs = readyTimeoutMs;
    const { child, link } = startSuccessor(program);
    this.#child = child;
    this.#link = link;
    this.#given = new GivenConnections(ports.addresses, (seq, id, moved, connection, written) => link?.send({ act: 'connection', seq, id, moved }, connection, written),
      (ms) => this.#fail(`no worker of it has taken a connection for ${ms} ms`));
    child.once('error', (error) => this.#fail(`it could not be started (${error.message})`));
    child.once('exit', (code, signal) => this.#fail(signal === null ? `it exited with ${code}` : `it was killed by ${signal}`));
    link?.listen((message, handle) => {
      handle?.close();
      if (isOfSuccessor(message)) this.#received(message);
    }, (error) => void epochClock.after(EXIT_MS, () => this.#fail(error === null ? 'it has closed the channel to this process' : `the channel to it has failed (${error.message})`), false));
  }

  /** The process of the successor. */
  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Was the successor told to serve? Then it is too late to call it off. */
  get hasCommitted(): boolean {
    return this.#hasCommitted;
  }

  /** Calls it off, unless it is too late. */
  cancel(reason: string): void {
    if (!this.#hasCommitted) this.#fail(reason);
  }

  /** Makes the successor, which serves, stop as this process does; once the handover is over, by SIGTERM. */
  stop(now: boolean): void {
    if (this.#link?.isOpen === true) this.#link.send({ act: 'stop', now });
    else this.#child.kill('SIGTERM');
  }

  /** Hands over. Rejects with ERR_UPGRADE_FAILED; everything goes on here then. When it has resolved this process has nothing to do any more. */
  async run(): Promise<UpgradeReport> {
    const cancel = epochClock.after(this.#readyTimeoutMs, () => this.#fail(this.#notReady));
    try {
      const hello = await this.#next('hello');
      if (hello.protocol !== PROTOCOL) throw failed(`it speaks version ${hello.protocol} of the protocol of upgrades, and this one ${PROTOCOL}: stop and start the program instead`);
      const addresses = this.#ports.addresses.listening();
      for (const { id, query, data, handle } of addresses) this.#link?.send({ act: 'address', id, query, data }, handle);
      for (const { name, handle } of socketsHere()) this.#link?.send({ act: 'socket', name }, handle);
      this.#state = stateHere();
      this.#link?.send({ act: 'begin', hasState: this.#state !== null });
      await this.#ready();
      cancel();
      if (this.#failure !== null) throw this.#failure; // `failed`, or a stop, came in the same turn as `ready`.
      this.#hasCommitted = true;
      leavePlaces(this.pid);
      this.#link?.send({ act: 'commit', parts: snapshotParts() });
      await this.#within('serving');
      await this.#leave();
      this.#ports.addresses.stopAccepting();
      await this.#orFailure(this.#given.empty());
      const state = this.#state?.snapshot() ?? null; // First: it sends what is left to be answered.
      this.#hasGivenState = true;
      this.#link?.send({ act: 'last', parts: snapshotParts(), state, handled: this.#handled });
      await this.#within('done');
      this.#ports.addresses.release();
      this.#child.removeAllListeners('exit').unref();
      this.#link?.close();
      return { pid: this.pid, node: hello.node, connections: this.#given.taken, ms: Math.round(performance.now() - this.#began) };
    } catch (error) {
      cancel();
      this.#end();
      throw error;
    }
  }

  // ── the steps ──────────────────────────────────────────────────────────────────────────────────

  get #notReady(): string {
    return this.#expected?.act === 'hello' ? `it did not load cluster-internals within ${this.#readyTimeoutMs} ms` : `its workers were not ready within ${this.#readyTimeoutMs} ms`;
  }

  /** Waits until the workers of the successor are ready, and listen where those of this primary do. It says `ready` again when it has adopted one more address. */
  async #ready(): Promise<void> {
    let cancel = (): void => undefined;
    for (;;) {
      const { adopted } = await this.#next('ready');
      cancel();
      const missing = this.#ports.addresses.listening().find(({ id, query }) => query.vacantMs === undefined && !adopted.includes(id));
      if (missing === undefined) return;
      cancel = epochClock.after(LISTEN_MS, () => this.#fail(`its workers do not listen at ${addressText(missing.query)}, where workers of this one do`));
    }
  }

  /** Gives every connection to the successor, and waits until all workers are gone. */
  async #leave(): Promise<void> {
    this.#isLeaving = true;
    this.#ports.addresses.handOver((id, connection, moved) => this.#failure === null && this.#given.give(id, connection, moved));
    await this.#orFailure(this.#ports.leave(this.pid));
  }

  #received(message: SuccessorMessage): void {
    if (message.act === 'state') return this.#forState(message);
    if (message.act === 'taken') return this.#given.answered(message.seq, message.taken);
    if (message.act === 'failed') return this.#fail(message.reason);
    const expected = this.#expected;
    // One that is early was in the same read as the one before, and that has not been acted upon yet.
    if (expected?.act !== message.act) return void this.#early.set(message.act, message);
    this.#expected = null;
    expected.resolve(message);
  }

  #forState({ key, id, message }: SuccessorMessage & { act: 'state' }): void {
    if (this.#hasGivenState) return; // The successor does it.
    this.#handled++;
    this.#state?.receive(key, id, message, (reply) => this.#link?.send({ act: 'state', key, message: reply }));
  }

  // ── waiting ────────────────────────────────────────────────────────────────────────────────────

  /** The next message of this kind. */
  #next<Act extends SuccessorMessage['act']>(act: Act): Promise<SuccessorMessage & { act: Act }> {
    const is = (message: SuccessorMessage): message is SuccessorMessage & { act: Act } => message.act === act;
    const early = this.#early.get(act);
    this.#early.delete(act);
    if (early !== undefined && is(early)) return this.#orFailure(Promise.resolve(early));
    return this.#orFailure(new Promise((resolve) => {
      this.#expected = { act, resolve: (message) => { if (is(message)) resolve(message); } };
    }));
  }

  /** The answer to what was sent in this turn. */
  async #within(act: 'serving' | 'done'): Promise<void> {
    this.#early.delete(act); // It is no answer.
    const cancel = epochClock.after(ANSWER_MS, () => this.#fail(`it did not answer within ${ANSWER_MS} ms`));
    await this.#next(act).finally(cancel);
  }

  #orFailure<Value>(promise: Promise<Value>): Promise<Value> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const failure = new Promise<never>((_resolve, reject) => { this.#reject = reject; });
    return Promise.race([promise, failure]);
  }

  // ── failure ────────────────────────────────────────────────────────────────────────────────────

  #fail(reason: string): void {
    if (this.#failure !== null) return;
    this.#failure = failed(reason);
    this.#reject(this.#failure);
  }

  /** Ends the successor, and goes on here. */
  #end(): void {
    this.#failure ??= failed('it was called off');
    this.#state?.endAll();
    if (this.#hasCommitted) this.#child.kill('SIGKILL'); // Without the link it would go on as a primary of its own.
    this.#link?.close();
    const isRunning = this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined;
    if (isRunning) {
      const kill = timers.setTimeout(() => this.#child.kill('SIGKILL'), END_MS).unref();
      this.#child.once('exit', () => timers.clearTimeout(kill));
    }
    if (this.#hasCommitted) {
      if (isRunning) this.#child.once('exit', takePlacesAgain);
      else takePlacesAgain();
    }
    if (!this.#isLeaving) return;
    this.#ports.addresses.resume(this.#given.taken);
    this.#given.takeAllBack();
    this.#ports.stay();
  }
}

function addressText({ address, port, fd }: { address: string | null; port: number | null; fd: number | null }): string {
  if (fd !== null) return `the inherited fd ${fd}`;
  return port === null || port < 0 ? address ?? '' : `${address ?? '*'}:${port}`;
}
