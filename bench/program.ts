/**
 * A process under test, or the load generator. It is started, gets commands as lines of JSON, answers in the
 * same way, and is stopped. If it ends too early, or does not answer, the command fails, and with it the run.
 *
 * Owns     the process and the workers that it reports as its own: `stop` ends all of them, by pid
 * Used by  bench/bench.ts, which stops whatever still runs at the end of a run
 */
import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { lives } from './processes';

/** The report of a process when it is ready. Its own pid is the first of `pids`. */
export interface Facts {
  readonly pids: readonly number[];
  readonly port: number;
  readonly ports?: readonly number[];
}

interface Message {
  readonly ready?: Facts;
  readonly answer?: unknown;
  readonly error?: string;
}

/** Milliseconds that a process may take to be ready, or to answer. */
const DEADLINE = 60_000;
/** Milliseconds that a process and its workers may take to leave before they are killed. */
const GRACE = 3000;

/** A process that answers commands; see servers/control.js for the other end. */
export class Program {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #waiting: { resolve: (message: Message) => void; reject: (error: Error) => void } | null = null;
  #facts: Facts = { pids: [], port: 0 };
  #failure: Error | null = null;
  #stopping = false;

  private constructor(name: string, file: string, args: readonly string[], execArgv: readonly string[]) {
    this.name = name;
    this.#child = spawn(process.execPath, [...execArgv, path.join(__dirname, file), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin?.on('error', () => undefined); // The process has ended, which 'exit' reports.
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.once('error', (error) => this.#fail(error));
    this.#child.once('exit', (code, signal) => {
      if (!this.#stopping) this.#fail(new Error(`${name} (${file}) ended with ${signal ?? code}`));
    });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const waiting = this.#waiting;
      this.#waiting = null;
      waiting?.resolve(JSON.parse(line) as Message);
    });
  }

  /** Starts a file of this directory and waits until it is ready. */
  static async start(name: string, file: string, options: object = {}, execArgv: readonly string[] = []): Promise<Program> {
    const program = new Program(name, file, [JSON.stringify(options)], execArgv);
    try {
      const { ready } = await program.#message();
      if (ready === undefined) throw new Error(`${name} did not say that it is ready`);
      program.#facts = ready;
      return program;
    } catch (error) {
      await program.stop();
      throw error;
    }
  }

  get facts(): Facts {
    return this.#facts;
  }

  /** Gives a command and waits for its answer. One at a time. */
  async ask<Answer>(command: string, argument: object = {}): Promise<Answer> {
    this.#child.stdin?.write(`${JSON.stringify({ command, ...argument })}\n`);
    const { answer, error } = await this.#message();
    if (error !== undefined) throw new Error(`${this.name}, asked ${command}: ${error}`);
    return answer as Answer;
  }

  /** Ends it and its workers, and waits until none of them is there. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#child.stdin?.end();
    const deadline = Date.now() + GRACE;
    const pids = [this.#child.pid ?? 0, ...this.#facts.pids].filter((pid) => pid > 0);
    while (pids.some(lives)) {
      if (Date.now() > deadline) for (const pid of pids.filter(lives)) kill(pid);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (this.#child.pid !== undefined) await this.#exited;
  }

  #message(): Promise<Message> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(new Error(`${this.name} did not answer within ${DEADLINE} ms`)), DEADLINE);
      const settle = <Value>(then: (value: Value) => void) => (value: Value): void => {
        clearTimeout(timer);
        then(value);
      };
      this.#waiting = { resolve: settle(resolve), reject: settle(reject) };
    });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(this.#failure);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    return; // It ended meanwhile.
  }
}
