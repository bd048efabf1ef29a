/**
 * The end of the primary: with which exit code, and when, though something of the program's own (a timer,
 * a metrics server) would keep it alive.
 *
 *   exit code  69 (EXIT_GIVEN_UP)  every place was given up, or one with `onGiveUp: 'stop'`
 *              70 (EXIT_KILLED)    all were told to stop, and one had to be killed at its deadline
 *              0                   all have left, or were killed because somebody asked for it at once
 *              whatever the program has set as `process.exitCode` holds before any of these
 *   when       a primary that obeys signals ends `exitAfterMs` after nothing is left to supervise: a signal
 *              (or a closed terminal, or `onGiveUp`) stopped all and the last worker is gone, or every place
 *              is given up. It ends earlier if nothing keeps it alive. After `stop()`, or with
 *              `signals: false`, the program decides when it ends. With several supervisors in one process
 *              nobody ends it while another one has workers
 *
 * Owns     the exit code that it has set, until a command starts workers again; one timer for all
 *          supervisors of the process, which keeps nothing alive
 * Used by  supervisor.ts
 */
import { timers } from '../builtins';

/** The service is not there: no worker could be kept alive. EX_UNAVAILABLE of sysexits.h; Node has no code of that number. */
export const EXIT_GIVEN_UP = 69;
/** Workers were killed at their deadline, with what they were doing. EX_SOFTWARE of sysexits.h. */
export const EXIT_KILLED = 70;

/** What the end of a process is made of; tests have one of their own. */
export interface Ending {
  get(): typeof process.exitCode;
  set(code: number | undefined): void;
  exit(): void;
}

const realEnding: Ending = {
  get: () => process.exitCode,
  set: (code) => { process.exitCode = code; },
  exit: () => process.exit(),
};

/** What the supervisors of this process share: it ends when none of them has anything to supervise. */
const all = {
  /** Those that have workers, or may start some. */
  supervising: new Set<PrimaryEnd>(),
  /** How the process is to end when the last of them is done; null if the program decides. */
  wish: null as { readonly afterMs: number; readonly exit: () => void } | null,
  timer: undefined as NodeJS.Timeout | undefined,
};

function endIfAllAreDone(): void {
  timers.clearTimeout(all.timer);
  if (all.wish === null || all.supervising.size > 0) return;
  const { afterMs, exit } = all.wish;
  all.timer = timers.setTimeout(exit, afterMs).unref();
}

/** The end of the primary, as one supervisor sees it. */
export class PrimaryEnd {
  readonly #exitAfterMs: number;
  readonly #ending: Ending;
  /** The code that a supervisor of this process has set: the next one takes it back. */
  static #code: number | undefined;

  /** `exitAfterMs`: Infinity for never. */
  constructor(exitAfterMs: number, ending: Ending = realEnding) {
    this.#exitAfterMs = exitAfterMs;
    this.#ending = ending;
  }

  /** From now on the primary would exit with `code`, unless the program has said otherwise or another reason came first. */
  because(code: number): void {
    if (this.#ending.get() != null) return;
    this.#ending.set(code);
    PrimaryEnd.#code = code;
  }

  /** Nothing is left to supervise here. `ends`: the process ends, as soon as that is so of every supervisor. */
  done(ends: boolean): void {
    all.supervising.delete(this);
    if (ends && this.#exitAfterMs !== Infinity) all.wish = { afterMs: this.#exitAfterMs, exit: () => this.#ending.exit() };
    endIfAllAreDone();
  }

  /** Somebody does not want to wait for it. Other supervisors have got the signal as well, and kill what they have. */
  now(): void {
    all.wish = { afterMs: 0, exit: () => this.#ending.exit() };
    if (all.supervising.size === 0) this.#ending.exit();
  }

  /** A command wants workers. */
  callOff(): void {
    all.supervising.add(this);
    all.wish = null;
    timers.clearTimeout(all.timer);
    if (PrimaryEnd.#code !== undefined && this.#ending.get() === PrimaryEnd.#code) this.#ending.set(undefined);
    PrimaryEnd.#code = undefined;
  }
}
