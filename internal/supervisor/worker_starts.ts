/**
 * Starts the workers of one supervisor: forks each with the cluster object, and watches it as a member of the fleet.
 *
 * Owns     the stream to which the workers' stderr is written, if the supervisor writes it
 * Used by  supervisor.ts
 * Uses     start_worker.ts, worker_settings.ts, worker_process.ts (one for each worker)
 */
import type { Cluster, Worker } from 'node:cluster';
import { epochClock } from '../clock';
import type { GiveUpReports } from './give_up_reports';
import type { CheckedOptions } from './options';
import { commonAddresses } from './readiness';
import type { Slot } from './slot';
import { startWorker } from './start_worker';
import type { Generation, Member, MemberEvents, ProcessState } from './states';
import { StderrOutput } from './stderr_lines';
import { WorkerProcess } from './worker_process';
import { settingsOf } from './worker_settings';

/** The parts of the supervisor that are needed here. */
export interface StartPorts {
  readonly giveUps: GiveUpReports;
  /** The slots of the fleet. */
  slots(): readonly Slot[];
  /** Are all workers told to leave? */
  isStopping(): boolean;
  /** `from`: null if the worker was just started. */
  changed(member: Member, from: ProcessState | null): void;
}

/** The starts of one supervisor. */
export class WorkerStarts {
  readonly #cluster: Cluster;
  readonly #options: CheckedOptions;
  readonly #ports: StartPorts;
  /** null: the supervisor does not write the workers' stderr. */
  readonly #output: StderrOutput | null;

  constructor(cluster: Cluster, options: CheckedOptions, ports: StartPorts) {
    this.#cluster = cluster;
    this.#options = options;
    this.#ports = ports;
    this.#output = options.stderr === 'pipe' ? new StderrOutput(process.stderr) : null;
  }

  /** Starts a worker that reports to `events`. Throws if no process could be started. */
  start(generation: Generation, slot: number, events: MemberEvents, onTrial: boolean): Member {
    const worker = this.#fork(generation, slot, onTrial);
    const member: WorkerProcess = new WorkerProcess(worker, slot, generation, this.#options, {
      clock: epochClock,
      random: Math.random,
      leaving: (atOnce) => (this.#ports.isStopping() ? { delayMs: atOnce ? 0 : this.#options.drainDelayMs, move: false } : { delayMs: 0, move: this.#options.move }),
      expected: () => this.#expected(slot, member),
      output: this.#output,
      ready: (...event) => events.ready(...event),
      retiring: (...event) => events.retiring(...event),
      lost: (...event) => events.lost(...event),
      ended: (...event) => events.ended(...event),
      transition: (changed, from) => this.#ports.changed(changed, from),
    });
    this.#ports.changed(member, null);
    return member;
  }

  #fork(generation: Generation, slot: number, onTrial: boolean): Worker {
    const { giveUps } = this.#ports;
    try {
      const worker = startWorker(this.#cluster, settingsOf(generation, slot, onTrial, this.#options));
      giveUps.started(slot);
      return worker;
    } catch (error) {
      giveUps.notStarted(slot, error);
      throw error;
    }
  }

  /** The addresses at which a worker that starts in this slot has to listen before it is ready. */
  #expected(slot: number, starting: Member): ReadonlySet<string> {
    const serving = this.#ports.slots().filter((other) => other.isServed && other.current?.member !== starting);
    const predecessor = serving.find(({ number }) => number === slot)?.current?.member.listens ?? null;
    return commonAddresses(predecessor, serving.map(({ current }) => current?.member.listens ?? new Set()));
  }
}
