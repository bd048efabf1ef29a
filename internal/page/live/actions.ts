/**
 * What the buttons of a live page do. Each acts on a process of the program that `watch` has started, and on no other: a
 * worker is named, and its pid is the one of the recording.
 *
 * Used by  watch.ts
 * Uses     agents.ts
 * Never    signals a process whose end is in the recording: its pid may be another program's by now
 */
import { connect, type NetConnectOpts } from 'node:net';
import type { RecordedEvent } from '../../recording/format';
import type { Agents } from './agents';

/** Milliseconds for which a button blocks an event loop. */
const BLOCK_MS = 2000;
/** Milliseconds after which a client of ours gives up. */
const CLIENT_MS = 5000;
const MOST_CLIENTS = 1000;

const SIGNALS: Readonly<Record<string, NodeJS.Signals>> = { kill: 'SIGKILL', stop: 'SIGSTOP', continue: 'SIGCONT' };

/** What the buttons of a live page do to the running program. */
export class Actions {
  readonly #agents: Agents;
  /** Workers that run: pid and worker id, by name. */
  readonly #workers = new Map<string, { readonly pid: number; readonly id: number }>();
  #address: NetConnectOpts | null = null;

  constructor(agents: Agents) {
    this.#agents = agents;
  }

  /** Learns from the recording which workers there are, and where they listen. */
  seen(event: RecordedEvent): void {
    if (event.kind === 'process' && event.event === 'exit') this.#workers.delete(event.name);
    else if (event.kind === 'process' && event.event === 'start' && event.role === 'worker' && event.worker !== null) this.#workers.set(event.name, { pid: event.pid, id: event.worker });
    if (event.kind !== 'message' || event.act !== 'listening' || event.fields === null) return;
    const { address, port, addressType } = event.fields;
    if (addressType === -1 && typeof address === 'string') this.#address = { path: address };
    else if (typeof port === 'number' && port > 0) this.#address = { port, host: addressType === 6 ? '::1' : '127.0.0.1' };
  }

  /** Does what a button asks for, and says what was done. Rejects with the reason if it was not. */
  async act(order: Readonly<Record<string, unknown>>): Promise<string> {
    const { action, worker: name, count } = order;
    if (action === 'fork' || action === 'reload') return this.#agents.ask(this.#primary(), { action });
    if (action === 'open') return this.#open(Number(count));
    const worker = typeof name === 'string' ? this.#workers.get(name) : undefined;
    if (worker === undefined) throw new Error('there is no such worker (any more)');
    if (action === 'block') return this.#agents.ask(worker.pid, { action, ms: BLOCK_MS });
    if (action === 'disconnect') return this.#agents.ask(this.#primary(), { action, worker: worker.id });
    const signal = typeof action === 'string' && Object.hasOwn(SIGNALS, action) ? SIGNALS[action] : undefined;
    if (signal === undefined) throw new Error('there is no such action');
    process.kill(worker.pid, signal);
    return `${signal} is sent to ${String(name)} (pid ${worker.pid})`;
  }

  #primary(): number {
    const pid = this.#agents.primary;
    if (pid === null) throw new Error('the primary has no connection to watch');
    return pid;
  }

  async #open(count: number): Promise<string> {
    if (!Number.isInteger(count) || count < 1 || count > MOST_CLIENTS) throw new Error(`a number of clients from 1 to ${MOST_CLIENTS}, please`);
    const address = this.#address;
    if (address === null) throw new Error('no worker listens yet');
    const results = await Promise.all(Array.from({ length: count }, () => client(address)));
    return `${count} clients: ${results.filter((one) => one === 'answer').length} got an answer, ${results.filter((one) => one === 'error').length} an error, ${results.filter((one) => one === 'none').length} none`;
  }
}

/** One HTTP request with a connection of its own. */
function client(address: NetConnectOpts): Promise<'answer' | 'error' | 'none'> {
  return new Promise((resolve) => {
    const socket = connect(address);
    let isAnswered = false;
    socket.setTimeout(CLIENT_MS, () => socket.destroy());
    socket.on('connect', () => socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'));
    socket.on('data', () => { isAnswered = true; });
    socket.on('error', () => resolve('error'));
    socket.on('close', () => resolve(isAnswered ? 'answer' : 'none'));
  });
}
