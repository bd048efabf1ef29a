/** Drives reload_app.js: a supervised app whose connections are kept alive. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Status } from '../../internal/supervisor/status';

/** Milliseconds after which an event is taken for lost. */
const DEADLINE = 30_000;

type Line = Readonly<Record<string, unknown>>;

/** A running app. */
export class Supervised {
  readonly #child: ChildProcess;
  readonly #lines: Line[] = [];
  readonly #exit: Promise<unknown>;
  #wake: (() => void) | null = null;

  constructor(workers: number, options: object = {}, { settings = {}, env = {} }: { settings?: object; env?: NodeJS.ProcessEnv } = {}) {
    this.#child = spawn(process.execPath, [path.join(__dirname, 'reload_app.js'), String(workers), JSON.stringify(options), JSON.stringify(settings)], {
      stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env },
    });
    this.#exit = once(this.#child, 'exit');
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.#lines.push(JSON.parse(line) as Line);
      this.#wake?.();
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  async port(): Promise<number> {
    return (await this.#line('port', 0))['port'] as number;
  }

  /** Runs a command. Returns how long it took, and the lines that came meanwhile. */
  async command(command: string): Promise<{ ms: number; lines: readonly Line[] }> {
    const from = this.#lines.length;
    this.#child.stdin?.write(`${command}\n`);
    const { ms } = await this.#line('done', from);
    return { ms: ms as number, lines: this.#lines.slice(from) };
  }

  async counters(): Promise<Readonly<Record<string, number>>> {
    return await this.#ask('counters') as Record<string, number>;
  }

  async status(): Promise<Status> {
    return await this.#ask('status') as Status;
  }

  /** The pids of the workers, in the order of their ids. */
  async pids(): Promise<number[]> {
    const { lines } = await this.command('pids');
    return lines.find((line) => 'pids' in line)?.['pids'] as number[];
  }

  async #ask(what: string): Promise<unknown> {
    const from = this.#lines.length;
    this.#child.stdin?.write(`${what}\n`);
    return (await this.#line(what, from))[what];
  }

  async end(): Promise<void> {
    this.#child.stdin?.end();
    await this.#exit;
  }

  /** The next line with this field, from the line number `from` on. */
  async #line(field: string, from: number): Promise<Line> {
    const late = setTimeout(() => this.#child.kill('SIGKILL'), DEADLINE);
    try {
      for (;;) {
        const found = this.#lines.slice(from).find((line) => field in line);
        if (found !== undefined) return found;
        if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw new Error(`the app has ended before it said '${field}'`);
        await Promise.race([new Promise<void>((resolve) => { this.#wake = resolve; }), this.#exit]);
      }
    } finally {
      clearTimeout(late);
    }
  }
}

/** The answer to a request on a kept connection: `worker` has answered; `says` is its header Connection. */
export interface Reply { readonly worker: number; readonly says: string }

/** Connections that each have sent one request and then rest. */
export class Kept {
  readonly #sockets: net.Socket[] = [];

  static async open(port: number, count: number): Promise<Kept> {
    const kept = new Kept();
    for (let at = 0; at < count; at++) {
      const socket = net.connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      kept.#sockets.push(socket);
      await once(socket, 'connect');
      if (await ask(socket) === null) throw new Error('closed at its first request');
    }
    return kept;
  }

  /** How many were closed by the other end. */
  get closed(): number {
    return this.#sockets.filter((socket) => socket.readableEnded || socket.destroyed).length;
  }

  /** Each sends one request. */
  async ask(): Promise<(Reply | null)[]> {
    return Promise.all(this.#sockets.map(ask));
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function ask(socket: net.Socket): Promise<Reply | null> {
  if (socket.readableEnded || socket.destroyed) return Promise.resolve(null);
  return new Promise((resolve) => {
    let text = '';
    const done = (reply: Reply | null): void => {
      socket.off('data', onData).off('close', onClose);
      resolve(reply);
    };
    const onData = (data: Buffer): void => {
      text += String(data);
      const worker = /"worker":(\d+)\}/.exec(text)?.[1];
      if (worker !== undefined) done({ worker: Number(worker), says: /^connection: (\S+)/im.exec(text)?.[1] ?? '' });
    };
    const onClose = (): void => done(null);
    socket.on('data', onData).on('close', onClose);
    socket.write('GET /kept HTTP/1.1\r\nHost: x\r\n\r\n');
  });
}
