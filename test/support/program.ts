/**
 * Runs a program from the outside, as a person would: a test waits for lines that it prints, and for its end. If
 * the deadline passes first, the test fails and shows what the program has printed so far.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { cleanEnvironment } from './environment';

export const root = path.resolve(__dirname, '../..');
export const dist = (file: string): string => path.join(root, 'dist', file);

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly args?: readonly string[];
  readonly execArgv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** fds of this process that it gets as fd 3, 4 and so on. */
  readonly fds?: readonly number[];
  /** The Node to run it with; this one by default. */
  readonly node?: string;
  /** Milliseconds after which it is killed and every wait fails. */
  readonly deadline?: number;
}

/** A running program. A test in which it does not end by itself has to `stop()` it. */
export class Program {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly #name: string;
  #stdout = '';
  #stderr = '';
  #failed: Error | null = null;
  readonly #waiting = new Set<() => void>();

  constructor(file: string, options: ProgramOptions = {}) {
    const { args = [], execArgv = [], env = {}, cwd = root, node = process.execPath, deadline = 40_000, fds = [] } = options;
    this.#name = path.relative(root, file);
    this.child = spawn(node, [...execArgv, file, ...args], { cwd, env: cleanEnvironment(env), stdio: ['ignore', 'pipe', 'pipe', ...fds] });
    const timer = setTimeout(() => {
      this.#failed = new Error(`${this.#name} missed its deadline of ${deadline} ms\n${this.output}`);
      this.child.kill('SIGKILL');
      this.#wake();
    }, deadline);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => { this.#stdout += text; this.#wake(); });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => { this.#stderr += text; this.#wake(); });
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code, signal) => {
        clearTimeout(timer);
        this.#wake();
        if (this.#failed) reject(this.#failed);
        else resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
    this.ended.catch(() => {}); // A rejection that nobody awaits must not end the test run.
  }

  get output(): string {
    return `stdout:\n${this.#stdout}\nstderr:\n${this.#stderr}`;
  }

  /** Waits until the program has printed something that matches; resolves with the match. */
  async prints(pattern: RegExp): Promise<RegExpMatchArray> {
    for (;;) {
      const match = this.#stdout.match(pattern) ?? this.#stderr.match(pattern);
      if (match) return match;
      if (this.#failed) throw this.#failed;
      if (this.child.stdout?.closed) throw new Error(`${this.#name} ended without printing ${pattern}\n${this.output}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Ends it, and waits until it has. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.ended;
  }

  /**
   * Sends a second stop signal. It counts as a second one only if it comes a second after the first
   * (internal/supervisor/stop_requests.ts). It is sent once: in the last moments of the process, when no listener
   * is left, a signal would kill it.
   */
  async insist(signal: NodeJS.Signals): Promise<Ended> {
    const timer = setTimeout(() => this.child.kill(signal), 1_000);
    try {
      return await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}

/** Runs a program to its end. */
export function run(file: string, options?: ProgramOptions): Promise<Ended> {
  return new Program(file, options).ended;
}
