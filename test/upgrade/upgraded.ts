/** Drives app.js: an app whose primary is replaced by another process, again and again. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** Milliseconds after which an event is taken for lost. */
const DEADLINE = 30_000;

/** What app.js prints: `pid` is the primary that has printed it. */
export type Line = Readonly<Record<string, unknown>> & { readonly pid: number };

/** How the app is started. */
export interface Start {
  readonly options?: object;
  readonly settings?: object;
  readonly env?: NodeJS.ProcessEnv;
  readonly execPath?: string;
  readonly port?: number | string;
  /** Another app than app.js. */
  readonly file?: string;
  /** The fds of the first primary, from 3 on. */
  readonly fds?: readonly number[];
  /** The first primary is started as systemd does: `fds` are its sockets, and these are their names, with colons in between. */
  readonly activated?: string;
  /** SIGUSR2 does what `command` says, in place of an upgrade. */
  readonly commands?: boolean;
}

/** A running app: its first primary is a child of this process, and each next one a child of the one before. */
export class Upgraded {
  readonly lines: Line[] = [];
  /** What the primaries and workers have printed on stderr. */
  stderr = '';
  /** Resolves when the first primary has ended, however that was. */
  readonly firstEnded: Promise<unknown>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #directory = mkdtempSync(path.join(tmpdir(), 'upgraded-'));
  readonly #commands = path.join(this.#directory, 'command');
  readonly #wakes = new Set<() => void>();
  #pid: number;

  constructor({ options = {}, settings = {}, env = {}, execPath = process.execPath, port = 0, file = path.join(__dirname, 'app.js'), commands = false, fds = [], activated }: Start = {}) {
    const args = [file, JSON.stringify(options), JSON.stringify(settings), String(port)];
    const program: [string, string[]] = activated === undefined ? [execPath, args] : ['sh', ['-c', 'LISTEN_PID=$$ exec "$0" "$@"', execPath, ...args]];
    this.#child = spawn(...program, {
      stdio: ['ignore', 'pipe', 'pipe', ...fds], env: { ...process.env, ...(activated === undefined ? {} : { LISTEN_FDS: String(fds.length), LISTEN_FDNAMES: activated }), ...(commands ? { COMMANDS: this.#commands } : {}), ...env },
    });
    this.#pid = this.#child.pid as number;
    this.firstEnded = once(this.#child, 'exit');
    const { stdout, stderr } = this.#child;
    // It ends when the last process that has inherited it has ended.
    this.#ended = once(stdout as NodeJS.ReadableStream, 'close').then(() => rmSync(this.#directory, { recursive: true, force: true }));
    stderr?.on('data', (text) => { this.stderr += String(text); });
    createInterface({ input: stdout as NodeJS.ReadableStream }).on('line', (text) => {
      const line = JSON.parse(text) as Line;
      this.lines.push(line);
      if (line['upgrade'] === 'done') this.#pid = line['successor'] as number;
      for (const wake of this.#wakes) wake();
    });
  }

  /** The present primary. */
  get pid(): number {
    return this.#pid;
  }

  async port(): Promise<number> {
    return (await this.line((line) => 'port' in line))['port'] as number;
  }

  /** Replaces the primary. Resolves when the old one has said how that went, and if it has left, that it exits. */
  async upgrade(): Promise<Line> {
    const from = this.lines.length;
    const old = this.#pid;
    process.kill(old, 'SIGUSR2');
    const last = await this.line((line) => line.pid === old && (line['upgrade'] === 'done' || line['upgrade'] === 'failed'), from);
    if (last['upgrade'] === 'done') await this.line((line) => line.pid === old && 'exit' in line, from);
    return last;
  }

  /** Calls a method of the present primary's supervisor (for an app that was started with `commands`). The line that says how it went. */
  async command(method: string, argument?: unknown): Promise<Line> {
    const from = this.lines.length;
    this.send(method, argument);
    return this.line((line) => 'outcome' in line || 'code' in line, from);
  }

  /** The same, without waiting. */
  send(method: string, argument?: unknown): void {
    this.sendAll([{ method, argument }]);
  }

  /** Calls several methods in one turn. */
  sendAll(commands: readonly { readonly method: string; readonly argument?: unknown }[]): void {
    writeFileSync(this.#commands, JSON.stringify(commands));
    process.kill(this.#pid, 'SIGUSR2');
  }

  /** The first line that `is` accepts, from the line number `from` on. */
  async line(is: (line: Line) => boolean, from = 0): Promise<Line> {
    const late = setTimeout(() => this.kill(), DEADLINE);
    let isOver = false;
    void this.#ended.then(() => { isOver = true; });
    try {
      for (;;) {
        const found = this.lines.slice(from).find(is);
        if (found !== undefined) return found;
        if (isOver) throw new Error(`the app has ended, or was killed because it was late, before that: ${JSON.stringify(this.lines.slice(from))}\n${this.stderr}`);
        await new Promise<void>((resolve) => {
          this.#wakes.add(resolve);
          void this.#ended.then(() => resolve());
        });
      }
    } finally {
      clearTimeout(late);
    }
  }

  /** The primaries that run, as far as they have said that they exist. */
  alive(): number[] {
    const pids = new Set(this.lines.flatMap((line) => [line.pid, line['successor']]));
    return [...pids].filter((pid): pid is number => typeof pid === 'number' && isAlive(pid));
  }

  /** Ends it hard. */
  kill(): void {
    for (const pid of new Set(this.lines.flatMap((line) => [line.pid, line['successor']]))) {
      if (typeof pid === 'number' && !this.lines.some((line) => line.pid === pid && 'exit' in line)) kill(pid);
    }
    this.#child.kill('SIGKILL');
  }

  /** Stops the present primary. Resolves when no process is left. */
  async end(): Promise<void> {
    const late = setTimeout(() => this.kill(), DEADLINE);
    kill(this.#pid, 'SIGTERM');
    await this.#ended;
    clearTimeout(late);
  }

  /** Resolves when no process is left. */
  async ended(): Promise<void> {
    const late = setTimeout(() => this.kill(), DEADLINE);
    await this.#ended;
    clearTimeout(late);
  }
}

function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Not so for a zombie. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** From so many milliseconds on a connect was slow: the kernel had dropped its first SYN, and sends the next one after a second. */
const SLOW = 1000;

/** Connects once each millisecond, until `stop`, and closes each connection at once. */
export class Probe {
  /** One line for each connect that was refused, reset or never answered. */
  readonly failures: string[] = [];
  count = 0;
  /** How many connects were slow, those that failed included. */
  slow = 0;
  /** The slowest one, in milliseconds. */
  slowest = 0;
  readonly #timer: NodeJS.Timeout;
  readonly #open = new Set<net.Socket>();
  #emptied: () => void = () => undefined;

  /** `at`: a port of 127.0.0.1, or the path of a unix socket. */
  constructor(at: number | string) {
    this.#timer = setInterval(() => this.#connect(at), 1);
  }

  #connect(at: number | string): void {
    this.count++;
    const began = performance.now();
    const socket = net.connect(typeof at === 'string' ? { path: at } : { port: at, host: '127.0.0.1' });
    this.#open.add(socket);
    socket.once('connect', () => {
      this.#took(began);
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.failures.push(`probe: ${error.code ?? error.message} after ${this.#took(began).toFixed(0)} ms`));
    socket.once('close', () => {
      this.#open.delete(socket);
      if (this.#open.size === 0) this.#emptied();
    });
  }

  #took(began: number): number {
    const ms = performance.now() - began;
    if (ms >= SLOW) this.slow++;
    this.slowest = Math.max(this.slowest, ms);
    return ms;
  }

  /** Resolves when each connect has an end: at once, unless one is not answered. That one fails after the two minutes of the kernel. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#open.size > 0) await new Promise<void>((resolve) => { this.#emptied = resolve; });
  }
}
