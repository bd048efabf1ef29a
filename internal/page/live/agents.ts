/**
 * The agents in the processes of a program that is watched, as `watch` sees them: one connection for each process.
 *
 * Owns     a directory of its own (0700) with the socket, the server, and the agents' connections; `close` gives all back
 * Used by  watch.ts, actions.ts
 * Uses     agent.ts (the other end)
 * Never    trusts an agent: it is a process of a program that may do anything. A line that is too long or no JSON ends
 *          its connection
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { builtFile } from '../../dist_files';

/** The file that a process of the program loads. */
const AGENT = builtFile('internal/page/live/agent.js');
/** The environment variable in which agent.ts finds the socket. That file is not imported: it would connect at once. */
const SOCKET = 'CLUSTER_INTERNALS_WATCH';
const LONGEST_LINE = 65_536;
/** Milliseconds. A reload of a few workers takes seconds, and an answer of a stopped process never comes. */
const ANSWER_MS = 30_000;

interface Agent {
  readonly socket: Socket;
  readonly primary: boolean;
}

/** The agents in the processes of the program, as `watch` reaches them. */
export class Agents {
  readonly #directory = mkdtempSync(path.join(tmpdir(), 'cluster-internals-watch-'));
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #byPid = new Map<number, Agent>();
  readonly #calls = new Map<number, { readonly socket: Socket; resolve(text: string): void; reject(error: Error): void }>();
  #last = 0;

  constructor() {
    this.#server = createServer((socket) => this.#connected(socket));
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#path, () => resolve());
    });
  }

  get #path(): string {
    return path.join(this.#directory, 'agents.sock');
  }

  /** The environment of the program: this one, and what loads an agent in each process. */
  environment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    const flag = `--require ${JSON.stringify(AGENT)}`;
    const options = env['NODE_OPTIONS'] ?? '';
    return { ...env, [SOCKET]: this.#path, NODE_OPTIONS: options === '' ? flag : `${options} ${flag}` };
  }

  /** The pid of the first process of the program that is a primary; null if there is none. */
  get primary(): number | null {
    return [...this.#byPid].find(([, { primary }]) => primary)?.[0] ?? null;
  }

  /** Asks the agent of a process. Rejects with what it says, if it has ended, and if it does not answer in time. */
  ask(pid: number, order: object): Promise<string> {
    const agent = this.#byPid.get(pid);
    if (agent === undefined) return Promise.reject(new Error(`process ${pid} has no connection to watch`));
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#calls.get(id)?.reject(new Error(`process ${pid} does not answer`)), ANSWER_MS);
      const end = (): void => {
        clearTimeout(timer);
        this.#calls.delete(id);
      };
      this.#calls.set(id, { socket: agent.socket, resolve: (text) => { end(); resolve(text); }, reject: (error) => { end(); reject(error); } });
      agent.socket.write(`${JSON.stringify({ id, ...order })}\n`);
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #connected(socket: Socket): void {
    let rest = '';
    this.#sockets.add(socket);
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE || !lines.every((line) => this.#arrived(socket, line))) socket.destroy();
    });
    socket.on('close', () => {
      this.#sockets.delete(socket);
      for (const [pid, agent] of this.#byPid) if (agent.socket === socket) this.#byPid.delete(pid);
      for (const call of [...this.#calls.values()]) if (call.socket === socket) call.reject(new Error('the process has ended'));
    });
  }

  /** False: the line makes no sense. */
  #arrived(socket: Socket, line: string): boolean {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return false; // No JSON.
    }
    if (typeof value !== 'object' || value === null) return false;
    if ('pid' in value && typeof value.pid === 'number') {
      this.#byPid.set(value.pid, { socket, primary: 'primary' in value && value.primary === true });
      return true;
    }
    const call = 'id' in value && typeof value.id === 'number' ? this.#calls.get(value.id) : undefined;
    if (call === undefined || call.socket !== socket) return false;
    if ('text' in value && typeof value.text === 'string') call.resolve(value.text.slice(0, 500));
    else call.reject(new Error('error' in value ? String(value.error).slice(0, 500) : 'it gave no answer'));
    return true;
  }
}
