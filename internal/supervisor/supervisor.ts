/**
 * The supervisor: the fleet on one side, the public cluster object on the other. It forks what the
 * fleet starts, tells what happens, and obeys signals.
 *
 * Owns     the cluster's settings from the first fork on (`setupPrimary` before each), the handlers of
 *          signals while there is anything to supervise
 * Used by  lib/supervisor.ts
 * Never    uses more of the cluster than its documented members, so that Node's own serves as well
 */
import { EventEmitter } from 'node:events';
import { realpathSync } from 'node:fs';
import path from 'node:path';
import type { Cluster, Worker } from 'node:cluster';
import { nodeError } from '../errors';
import { realClock } from './clock';
import { Fleet } from './fleet';
import { checkCount, type Checked } from './options';
import type { Place, Track } from './places';
import { Process } from './process';
import type { ReloadState } from './rollout';
import { Signals } from './signals';
import type { Exit, Generation, Member, MemberEvents, ProcessState, Report, WorkerState } from './states';
import { TRIAL } from './wire';

/** One worker, or one place without, as `status()` tells it. */
export interface WorkerStatus {
  readonly place: number;
  /** The cluster's number of the worker; null for a place without one. */
  readonly worker: number | null;
  readonly pid: number | null;
  readonly generation: number | null;
  /** `current`: the place is its; `successor`: it will be; `leaving`: it was. */
  readonly role: 'current' | 'successor' | 'leaving';
  readonly state: WorkerState;
}

/** Everything at one moment. */
export interface Status {
  /** How many workers there should be; 0 when stopped. */
  readonly desired: number;
  /** How many are ready. */
  readonly ready: number;
  readonly reload: 'idle' | 'canary' | 'rolling';
  readonly generation: number;
  /** The script that a new worker runs. */
  readonly exec: string;
  readonly workers: readonly WorkerStatus[];
}

/** A worker, or a place without one, changed its state. */
export interface Transition {
  readonly place: number;
  readonly worker: number | null;
  readonly pid: number | null;
  readonly generation: number | null;
  /** null: it was just started. */
  readonly from: WorkerState | null;
  readonly state: WorkerState;
}

/** A place was given up. */
export interface GiveUp {
  readonly place: number;
  /** The last ends there, newest last. */
  readonly exits: readonly Exit[];
  /** The end of what the last worker there wrote to stderr. */
  readonly stderr: string;
}

/** A reload has come so far. */
export interface ReloadEvent {
  readonly state: ReloadState;
  readonly generation: number;
  readonly exec: string;
  readonly reason: string;
}

/** The events and their arguments. */
export interface SupervisorEvents {
  transition: [Transition];
  giveup: [GiveUp];
  reload: [ReloadEvent];
  /** All workers are gone after a stop. */
  stopped: [];
}

/** What each worker loads first. Under tsx this file is a source, and the worker still needs plain JavaScript. */
const agent = path.join(
  __filename.endsWith('.ts') ? path.join(__dirname, '../../dist/internal/supervisor') : __dirname, 'agent.js');

/** Keeps the workers of one app alive; `supervise` makes it. */
export class Supervisor extends EventEmitter<SupervisorEvents> {
  /** Settled when all workers are ready for the first time, or one of them was given up. */
  readonly started: Promise<Report>;
  readonly #cluster: Cluster;
  readonly #options: Checked;
  readonly #fleet: Fleet;
  readonly #signals: Signals;
  readonly #stderr = new Map<number, string>();

  constructor(cluster: Cluster, options: Omit<Checked, 'forwardStderr'>) {
    super();
    this.#cluster = cluster;
    // Who has said where the workers' stderr goes is obeyed.
    const { silent, stdio } = cluster.settings;
    this.#options = { ...options, forwardStderr: !silent && stdio === undefined };
    this.#fleet = new Fleet(options, {
      clock: realClock,
      random: Math.random,
      resolve: () => scriptPath(options.exec),
      start: (...what) => this.#fork(...what),
      vacant: (place, state) => this.#vacant(place, state),
      stopped: () => {
        this.#signals.ignore();
        this.emit('stopped');
      },
      reloading: (state, { number, exec }, reason) => void this.emit('reload', { state, generation: number, exec, reason }),
    });
    this.#signals = new Signals({
      SIGHUP: () => void this.reload().catch(() => undefined), // 'reload' events tell.
      SIGTERM: () => this.#stopBySignal(),
      SIGINT: () => this.#stopBySignal(),
      SIGTTIN: () => void this.scale(Math.min(options.maxWorkers, this.#fleet.desired + 1)).catch(() => undefined),
      SIGTTOU: () => void this.scale(Math.max(1, this.#fleet.desired - 1)).catch(() => undefined),
    });
    this.started = this.#fleet.scale(options.workers, 'start');
    if (options.signals) this.#signals.listen();
  }

  /**
   * Replaces all workers by new ones, whose script is looked up anew: first one, the canary, which has to
   * stay ready for `canaryMs`, then the others. Nobody who serves leaves before his successor is ready.
   * Asked for while another reload runs, it follows that one.
   *
   * @returns  what became of each worker, when the last old one is gone
   * @throws   SupervisorError ERR_RELOAD_ABORTED, with the reason: the old workers go on
   */
  reload(): Promise<Report> {
    return this.#fleet.reload();
  }

  /**
   * Wants so many workers from now on, also after a stop. Places that were given up are tried again.
   *
   * @returns  what became of each worker, when so many are ready and those too many are gone
   * @throws   ERR_OUT_OF_RANGE, ERR_INVALID_ARG_TYPE; SupervisorError ERR_GIVEN_UP
   */
  async scale(count: number): Promise<Report> {
    checkCount('count', count, this.#options.maxWorkers);
    const report = this.#fleet.scale(count);
    if (this.#options.signals) this.#signals.listen();
    return report;
  }

  /**
   * Lets all workers leave. `now`: kills them. The process is free to end afterwards; `scale` begins anew.
   *
   * @returns  what became of each worker, when all are gone
   */
  async stop({ now = false }: { now?: boolean } = {}): Promise<Report> {
    const stopping = this.#fleet.stop();
    if (now) for (const member of this.#fleet.places.members) member.kill();
    return stopping;
  }

  /** How it stands with everybody. */
  status(): Status {
    const { places: { all, out }, rollout, restarts, desired } = this.#fleet;
    const of = ({ member }: Track, role: WorkerStatus['role']): WorkerStatus => ({ ...nameOf(member), role, state: member.state });
    const workers = all.flatMap((place): WorkerStatus[] => {
      const vacancy = place.current === null ? restarts.vacancy(place) : null;
      const nobody = { worker: null, pid: null, generation: null };
      return [
        ...(vacancy === null ? [] : [{ place: place.number, ...nobody, role: 'current' as const, state: this.#withStderr(place.number, vacancy) }]),
        ...(place.current === null ? [] : [of(place.current, 'current')]),
        ...(place.successor === null ? [] : [of(place.successor, 'successor')]),
      ];
    });
    return {
      desired,
      ready: workers.filter(({ state }) => state.is === 'ready').length,
      reload: rollout.is,
      generation: rollout.stable.number,
      exec: rollout.stable.exec,
      workers: [...workers, ...out.map(({ track }) => of(track, 'leaving'))],
    };
  }

  /** A second signal does not wait. */
  #stopBySignal(): void {
    void this.stop({ now: this.#fleet.desired === 0 });
  }

  #fork(generation: Generation, place: number, events: MemberEvents, onTrial: boolean): Member {
    const { args, execArgv, env, forwardStderr } = this.#options;
    this.#cluster.setupPrimary({
      exec: generation.exec,
      args: [...args],
      execArgv: [...execArgv, '--require', agent],
      ...(forwardStderr ? { stdio: ['inherit', 'inherit', 'pipe', 'ipc'] } : {}),
    });
    const worker: Worker = this.#cluster.fork(onTrial ? { ...env, [TRIAL]: '1' } : env);
    this.#stderr.delete(place);
    const member = new Process(worker, place, generation, this.#options, {
      clock: realClock,
      random: Math.random,
      ready: (...told) => events.ready(...told),
      retiring: (...told) => events.retiring(...told),
      lost: (...told) => events.lost(...told),
      ended: (...told) => events.ended(...told),
      transition: (one, from) => this.#changed(one, from),
    });
    process.nextTick(() => this.#changed(member, null));
    return member;
  }

  #changed(member: Member, from: ProcessState | null): void {
    this.emit('transition', { ...nameOf(member), from, state: member.state });
  }

  #vacant(place: Place, state: WorkerState): void {
    const from = place.lastDead?.state ?? null;
    this.emit('transition', { place: place.number, worker: null, pid: null, generation: null, from, state });
    if (state.is === 'given up') void this.#gaveUp(place);
  }

  /** Tells of it when everything that the last worker said is there. */
  async #gaveUp(place: Place): Promise<void> {
    const stderr = await place.lastDead?.stderr() ?? '';
    this.#stderr.set(place.number, stderr);
    this.emit('giveup', { place: place.number, exits: place.exits, stderr });
  }

  #withStderr(place: number, state: WorkerState): WorkerState {
    return state.is === 'given up' ? { ...state, stderr: this.#stderr.get(place) ?? '' } : state;
  }
}

const nameOf = ({ place, id, pid, generation }: Member): Pick<WorkerStatus, 'place' | 'worker' | 'pid' | 'generation'> =>
  ({ place, worker: id, pid: pid ?? null, generation: generation.number });

/** The script's real path as of now, found as `node` would find it. */
function scriptPath(exec: string): string {
  for (const ending of ['', '.js', '.cjs', '.mjs']) {
    try {
      return realpathSync(path.resolve(exec) + ending);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw nodeError(Error, 'ENOENT', `there is no script ${path.resolve(exec)}`);
}
