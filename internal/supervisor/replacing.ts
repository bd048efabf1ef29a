/**
 * The command `upgrade`: another process becomes the primary, and this one leaves.
 *
 *   idle ── start ──► running ── the successor serves ──► leaving ── it has everything ──► done
 *    ▲                   └── it fails, or a stop comes ──┐     └── it ends ──┐
 *    └───────────────────────────────────────────────────┴────────────────────┘
 *
 * Owns     the running replacement
 * Used by  supervisor.ts
 * Uses     upgrade/registry.ts; upgrade/predecessor.ts, which it loads when it is needed
 * Never    runs two replacements at a time, nor one beside another command: that is refused, and nothing has changed then
 */
import type { PredecessorPorts, Predecessor, UpgradeReport } from '../upgrade/predecessor';
import { addressesHere } from '../upgrade/registry';
import { LONGEST_DELAY } from '../clock';
import { invalidArgType, invalidArgValue, nodeError } from '../errors';
import { ownOptions } from '../own_options';
import { checkInteger, checkNames, checkString } from '../validate';
import type { UpgradeEvent } from './status';

/** The options of `upgrade`. Each may be left out. */
export interface UpgradeOptions {
  /** The script of the new primary: that of this one by default, whose path is followed again if it is a symlink. */
  readonly script?: string;
  /** The Node binary: that of this process by default. */
  readonly execPath?: string;
  /** The arguments of the script: those of this process by default. */
  readonly args?: readonly string[];
  /** How long the new primary may take until all of its workers are ready, in milliseconds: 60 s by default. */
  readonly readyTimeoutMs?: number;
}

/** The result of an upgrade. */
export type { UpgradeReport } from '../upgrade/predecessor';

/** What is needed of the supervisor. */
export interface ReplacingPorts extends Omit<PredecessorPorts, 'addresses'> {
  /** Why there can be no upgrade now; null if there can be one. */
  obstacle(): string | null;
  emit(event: UpgradeEvent): void;
  /** The successor has everything. */
  done(): void;
}

const names = ['script', 'execPath', 'args', 'readyTimeoutMs'] as const;
const READY_MS = 60_000;

/** The replacements of one primary. */
export class Replacing {
  readonly #ports: ReplacingPorts;
  #running: Predecessor | null = null;
  #state: 'idle' | 'running' | 'leaving' | 'done' = 'idle';

  constructor(ports: ReplacingPorts) {
    this.#ports = ports;
  }

  /** Do all workers leave because another primary serves? */
  get isLeaving(): boolean {
    return this.#state === 'leaving' || this.#state === 'done';
  }

  /** The error with which other commands reject while this primary is being replaced; null if it is not. */
  get refusal(): Error | null {
    if (this.#state === 'idle') return null;
    return nodeError(Error, 'ERR_UPGRADE_RUNNING', `This primary is being replaced by process ${this.#running?.pid ?? 'that has ended'}: try again when that is done`);
  }

  /** A stop comes: a successor that serves is told to stop as well (`now`: to kill its workers), and one that does not serve yet is ended. */
  stop(now: boolean): void {
    if (this.#running?.hasCommitted !== true) return this.#running?.cancel('this primary was told to stop');
    this.#running.stop(now);
  }

  /** Rejects with ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_UPGRADE_RUNNING, ERR_UPGRADE_REFUSED or ERR_UPGRADE_FAILED. */
  async start(options: UpgradeOptions): Promise<UpgradeReport> {
    const { readyTimeoutMs, ...program } = checkUpgrade(options);
    const { refusal } = this;
    if (refusal !== null) throw refusal;
    const addresses = addressesHere();
    const obstacle = addresses === null ? 'the workers are not those of a cluster of cluster-internals' : this.#ports.obstacle();
    if (addresses === null || obstacle !== null) throw nodeError(Error, 'ERR_UPGRADE_REFUSED', `This primary cannot be replaced now: ${obstacle}`);
    const { Predecessor } = require('../upgrade/predecessor') as typeof import('../upgrade/predecessor');
    this.#state = 'running';
    try {
      const running = this.#running = new Predecessor(program, readyTimeoutMs, {
        addresses,
        leave: (pid) => {
          this.#state = 'leaving';
          this.#ports.emit({ state: 'leaving', pid, reason: '' });
          return this.#ports.leave(pid);
        },
        stay: () => {
          this.#state = 'running';
          this.#ports.stay();
        },
      });
      this.#ports.emit({ state: 'started', pid: running.pid, reason: '' });
      const report = await running.run();
      this.#state = 'done';
      this.#ports.emit({ state: 'done', pid: report.pid, reason: '' });
      this.#ports.done();
      return report;
    } catch (error) {
      this.#ports.emit({ state: 'failed', pid: this.#running?.pid ?? null, reason: error instanceof Error ? error.message : String(error) });
      this.#state = 'idle';
      this.#running = null;
      throw error;
    }
  }
}

/** Checks the options, and completes the command line of the new primary. */
function checkUpgrade(options: UpgradeOptions): { readonly execPath: string; readonly args: readonly string[]; readonly readyTimeoutMs: number } {
  checkNames('options', options, names);
  const given = ownOptions(options, names);
  const script = given.script === undefined ? process.argv[1] : checkString('options.script', given.script);
  const args = given.args ?? process.argv.slice(2);
  if (script === undefined || script === '') throw invalidArgValue('options.script', script, 'must be the path of a script: this process has none');
  if (!Array.isArray(args) || !args.every((one: unknown) => typeof one === 'string')) throw invalidArgType('options.args', 'an array of strings', args);
  return {
    execPath: given.execPath === undefined ? process.execPath : checkString('options.execPath', given.execPath),
    args: [...process.execArgv, script, ...args],
    readyTimeoutMs: checkInteger('options.readyTimeoutMs', given.readyTimeoutMs ?? READY_MS, 1, LONGEST_DELAY, ' ms'),
  };
}
