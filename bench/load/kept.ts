/**
 * Connections that stay open: whom they belong to, and what becomes of them while a peer reloads its workers.
 *
 * Owns     its sockets; each window closes those that it opened
 * Used by  bench/load/main.ts
 */
import net from 'node:net';

/** Milliseconds that an answer may take. */
const PATIENCE = 10_000;

/** A connection over which requests go one after another. */
class Kept {
  /** Why it is no more; null while it is open. */
  ended: string | null = null;
  readonly #socket: net.Socket;
  #text = '';
  #waiting: ((pid: number | null) => void) | null = null;

  constructor(port: number) {
    this.#socket = net.connect(port, '127.0.0.1').setNoDelay().setEncoding('latin1');
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#end(error.code ?? error.message));
    this.#socket.on('timeout', () => this.#end('no answer'));
    this.#socket.on('close', () => this.#end('closed by the server'));
    this.#socket.on('end', () => this.#end('closed by the server'));
    this.#socket.on('data', (chunk: string) => {
      this.#text += chunk;
      const pid = /\{"pid":(\d+),"id":"\d*"\}/.exec(this.#text)?.[1];
      if (pid !== undefined) this.#answer(Number(pid));
    });
  }

  /** The pid of the process that answers; null: there was no answer. */
  ask(): Promise<number | null> {
    if (this.ended !== null) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#text = '';
      this.#socket.write('GET /pid?id=0 HTTP/1.1\r\nHost: localhost\r\n\r\n');
      this.#socket.setTimeout(PATIENCE);
    });
  }

  close(): void {
    this.ended ??= 'closed by us';
    this.#socket.destroy();
  }

  #answer(pid: number | null): void {
    this.#socket.setTimeout(0);
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.(pid);
  }

  #end(reason: string): void {
    this.ended ??= reason;
    this.#answer(null);
    this.#socket.destroy();
  }
}

/** Opens connections and keeps them; says how many of them each process has, at once and after `wait` ms. */
export async function heldConnections({ port, connections, wait }: { readonly port: number; readonly connections: number; readonly wait: number }): Promise<{ readonly atOnce: readonly number[]; readonly later: readonly number[] }> {
  const all: Kept[] = [];
  const owners = async (): Promise<number[]> => {
    const counts = new Map<number, number>();
    for (const pid of await Promise.all(all.map((one) => one.ask()))) {
      if (pid === null) throw new Error(`a connection that was kept got no answer: ${all.find(({ ended }) => ended !== null)?.ended ?? ''}`);
      counts.set(pid, (counts.get(pid) ?? 0) + 1);
    }
    return [...counts.values()];
  };
  try {
    for (let at = 0; at < connections; at++) {
      const one = new Kept(port);
      all.push(one);
      if (await one.ask() === null) throw new Error(`a new connection got no answer: ${one.ended ?? ''}`);
    }
    const atOnce = await owners();
    await new Promise((resolve) => setTimeout(resolve, wait));
    return { atOnce, later: await owners() };
  } finally {
    for (const one of all) one.close();
  }
}

export interface KeptWindow {
  readonly requests: number;
  /** Requests that were sent and got no answer. */
  readonly failed: number;
  /** Connections that the server closed while no request was under way. */
  readonly closed: number;
}

/** `connections` of them send a request every `pause` ms for `seconds`. One that ends is replaced. */
export async function keptLoad({ port, connections, pause, seconds }: { readonly port: number; readonly connections: number; readonly pause: number; readonly seconds: number }): Promise<KeptWindow> {
  const until = performance.now() + seconds * 1000;
  let requests = 0;
  let failed = 0;
  let closed = 0;
  await Promise.all(Array.from({ length: connections }, async () => {
    let one = new Kept(port);
    while (performance.now() < until) {
      if (one.ended !== null) {
        closed++;
        one = new Kept(port);
      }
      requests++;
      if (await one.ask() === null) {
        failed++;
        one.close();
        one = new Kept(port);
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    one.close();
  }));
  return { requests, failed, closed };
}
