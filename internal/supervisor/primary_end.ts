/**
 * How the primary ends: with which exit code, and when, although something of the program (a timer, a metrics server)
 * would keep the process alive.
 *
 *   exit code  69 (EXIT_GIVEN_UP)  every slot was given up, or one slot with `onGiveUp: 'stop'`
 *              70 (EXIT_KILLED)    all workers were told to stop, and one had to be killed at its deadline
 *              0                   all workers have left, or were killed because somebody asked for it at once
 *              If the program sets `process.exitCode`, that holds instead of any of these
 *   when       `exitAfterMs` after nothing is left to supervise, or earlier if nothing keeps the process alive. That is
 *              so where the supervisor obeys signals, and a signal, a closed terminal or `onGiveUp` has stopped all
 *              workers, or every slot is given up. After `stop()`, or with `signals: false`, the program decides.
 *              If there are several supervisors in the process, it ends when none of them has workers
 *
 * Owns     the exit code that a supervisor has set, until a command starts workers again; one timer for all
 *          supervisors of the process, which does not keep the process alive
 * Used by  supervisor.ts, operate/app/app_primary.ts
 */
import { timers } from '../builtins';

/** No worker could be kept running: the service is not available. EX_UNAVAILABLE of sysexits.h; Node itself exits with no such code. */
export const EXIT_GIVEN_UP = 69;
/** Workers were killed at their deadline, so requests were lost. EX_SOFTWARE of sysexits.h. */
export const EXIT_KILLED = 70;

/** The parts of `process` that end it; tests pass their own. */
export interface ProcessExit {
  get(): typeof process.exitCode;
  set(code: number | undefined): void;
  exit(): void;
}

const realExit: ProcessExit = {
  get: () => process.exitCode,
  set: (code) => { process.exitCode = code; },
  exit: () => process.exit(),
};

/** What all supervisors of this process share. */
const shared = {
  /** The supervisors that have workers, or may start some. */
  supervising: new Set<PrimaryEnd>(),
  /** How the process ends when `supervising` is empty; null if the program decides. */
  planned: null as { readonly afterMs: number; readonly exit: () => void } | null,
  timer: undefined as NodeJS.Timeout | undefined,
};

function exitIfNothingIsLeft(): void {
  timers.clearTimeout(shared.timer);
  if (shared.planned === null || shared.supervising.size > 0) return;
  const { afterMs, exit } = shared.planned;
  shared.timer = timers.setTimeout(exit, afterMs).unref();
}

/** The end of the primary, as one supervisor sees it. */
export class PrimaryEnd {
  readonly #exitAfterMs: number;
  readonly #process: ProcessExit;
  /** The exit code that a supervisor of this process has set. The next supervisor takes it back. */
  static #code: number | undefined;

  /** How many supervisors of this process have workers, or may start some. */
  static get supervisors(): number {
    return shared.supervising.size;
  }

  /** `exitAfterMs` is in milliseconds; Infinity for never. */
  constructor(exitAfterMs: number, processExit: ProcessExit = realExit) {
    this.#exitAfterMs = exitAfterMs;
    this.#process = processExit;
  }

  /** Sets the exit code, unless the program or an earlier reason has set one. */
  setCode(code: number): void {
    if (this.#process.get() != null) return;
    this.#process.set(code);
    PrimaryEnd.#code = code;
  }

  /** This supervisor has nothing left to supervise. `ends`: the process ends as soon as no supervisor has. */
  nothingLeft(ends: boolean): void {
    shared.supervising.delete(this);
    if (ends && this.#exitAfterMs !== Infinity) shared.planned = { afterMs: this.#exitAfterMs, exit: () => this.#process.exit() };
    exitIfNothingIsLeft();
  }

  /** A second signal: ends the process now, or when the other supervisors, which got that signal too, have killed their workers. */
  exitNow(): void {
    shared.planned = { afterMs: 0, exit: () => this.#process.exit() };
    if (shared.supervising.size === 0) this.#process.exit();
  }

  /** A command starts workers: the process does not end, and the exit code of an earlier reason is taken back. */
  cancel(): void {
    shared.supervising.add(this);
    shared.planned = null;
    timers.clearTimeout(shared.timer);
    if (PrimaryEnd.#code !== undefined && this.#process.get() === PrimaryEnd.#code) this.#process.set(undefined);
    PrimaryEnd.#code = undefined;
  }
}
