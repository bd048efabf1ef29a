/**
 * The commands that are under way, and what they will report: each is a promise that is settled once,
 * and gathers what became of workers until then.
 *
 * Owns     the promises of start, reload, scale and stop
 * Used by  fleet.ts, which knows when one is done
 */
import type { Command, Fate, Report } from './states';

/** A command that did not reach what it wanted. `report` says what happened to each worker until then. */
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
  /** Ends it; only the first call does. */
  end(outcome: Report['outcome']): void;
  fail(code: string, message: string): void;
}

/** All commands under way. */
export class Tasks {
  readonly #open = new Map<Task, Fate[]>();

  begin(command: Command): Task {
    const workers: Fate[] = [];
    let settle!: { resolve(report: Report): void; reject(error: Error): void };
    const promise = new Promise<Report>((resolve, reject) => { settle = { resolve, reject }; });
    // Whoever wants to know listens. A command that nobody waits for must not end the primary.
    promise.catch(() => undefined);
    const task: Task = {
      command,
      promise,
      end: (outcome) => {
        if (this.#open.delete(task)) settle.resolve({ command, outcome, workers });
      },
      fail: (code, message) => {
        if (this.#open.delete(task)) settle.reject(new SupervisorError(code, message, { command, workers }));
      },
    };
    this.#open.set(task, workers);
    return task;
  }

  /** Something became of a worker: every command under way reports it. */
  note(fate: Fate): void {
    for (const workers of this.#open.values()) workers.push(fate);
  }

  open(...commands: Command[]): Task[] {
    return [...this.#open.keys()].filter(({ command }) => commands.includes(command));
  }
}
