/**
 * The commands that are not finished yet. Each has a promise that is settled once, and a report that collects what
 * becomes of workers until then.
 *
 * Owns     the promises of start, reload, scale and stop
 * Used by  fleet.ts and rollout.ts, which know when a command has reached its goal; lib/supervisor.ts (SupervisorError)
 * Uses     error_line.ts
 */
import { errorLine } from './error_line';
import type { Command, Fate, Report } from './states';

/** A command did not reach its goal. `report` lists what became of workers until then. */
export class SupervisorError extends Error {
  readonly code: string;
  readonly report: Omit<Report, 'outcome'>;

  constructor(code: string, message: string, report: Omit<Report, 'outcome'>) {
    super(message);
    this.name = 'SupervisorError';
    this.code = code;
    this.report = report;
  }
}

/** One command. */
export interface Task {
  readonly command: Command;
  readonly promise: Promise<Report>;
  /** Resolves the promise. Only the first call of `end` or `fail` has an effect. */
  end(outcome: Report['outcome']): void;
  /**
   * Rejects the promise with a SupervisorError. `lastWords`: the last output of the worker that is to blame; the message
   * then ends with its error, as soon as that is known. Everything else is as if the promise were rejected at once.
   */
  fail(code: string, message: string, lastWords?: Promise<string>): void;
}

/** The open commands of one fleet. */
export class Tasks {
  readonly #open = new Map<Task, Fate[]>();

  begin(command: Command): Task {
    const workers: Fate[] = [];
    const { promise, resolve, reject } = newPromise<Report>();
    // A program may ignore the promise of a command. Its rejection must not end the primary as an unhandled one.
    promise.catch(() => undefined);
    const task: Task = {
      command,
      promise,
      end: (outcome) => {
        if (this.#open.delete(task)) resolve({ command, outcome, workers });
      },
      fail: (code, message, lastWords) => {
        if (!this.#open.delete(task)) return;
        const end = (line: string): void => reject(new SupervisorError(code, line === '' ? message : `${message}: ${line}`, { command, workers }));
        if (lastWords === undefined) end('');
        else void lastWords.then((text) => end(errorLine(text)), () => end(''));
      },
    };
    this.#open.set(task, workers);
    return task;
  }

  /** Adds what became of a worker to the report of every open command. */
  note(fate: Fate): void {
    for (const workers of this.#open.values()) workers.push(fate);
  }

  /** The open commands of these names, oldest first. */
  open(...commands: Command[]): Task[] {
    return [...this.#open.keys()].filter(({ command }) => commands.includes(command));
  }
}

/** Promise.withResolvers, which Node 20 does not have. */
function newPromise<Value>(): { promise: Promise<Value>; resolve(value: Value): void; reject(error: Error): void } {
  let settle!: { resolve(value: Value): void; reject(error: Error): void };
  const promise = new Promise<Value>((resolve, reject) => { settle = { resolve, reject }; });
  return { promise, ...settle };
}
