/**
 * Clients that keep one connection each and never let it rest, in every way in which HTTP/1.1 can be used. Each request has
 * a name of its own, and the answer must have it too: so an answer to another client, a lost or a doubled one is seen.
 */
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import net from 'node:net';

/** Milliseconds after which an answer is taken for lost. */
const DEADLINE = 15_000;

/** How a client uses its connection. */
export type Kind = 'get' | 'late' | 'head' | 'pipelining' | 'body' | 'chunked' | 'continue' | 'slow';

/** 100 clients of these kinds make the load of issue 21. */
export const MIX: Readonly<Record<Kind, number>> = { get: 30, late: 10, head: 10, pipelining: 15, body: 10, chunked: 5, continue: 10, slow: 10 };

/** The failures of a run, and the number of its requests. */
export interface Tally {
  requests: number;
  /** An answer did not come, or was none. */
  readonly failed: string[];
  /** The connection was closed before the client was done. */
  readonly closed: string[];
  /** An answer was that of another request. */
  readonly wrong: string[];
}

interface Answer { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string }

/** One connection that reads answers. */
class Connection {
  readonly #socket: net.Socket;
  #text = '';
  #wake: (() => void) | null = null;
  #ended: string | null = null;
  /** The header Connection of the last answer. */
  #says = '';
  /** The worker that gave the last answer; 0 before the first one. */
  worker = 0;

  constructor(port: number, host = '127.0.0.1') {
    this.#socket = net.connect(port, host);
    this.#socket.setNoDelay(true);
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (text: string) => { this.#text += text; this.#wake?.(); });
    this.#socket.on('error', (error: NodeJS.ErrnoException) => { this.#ended ??= error.code ?? error.message; this.#wake?.(); });
    this.#socket.on('end', () => { this.#ended ??= 'end'; this.#wake?.(); });
    this.#socket.on('close', () => { this.#ended ??= 'close'; this.#wake?.(); });
  }

  get ended(): string | null {
    return this.#ended;
  }

  /** For messages of failures: the header Connection of the last answer, and the length of the part of the next answer that has arrived. */
  get state(): string {
    return `last answer: ${this.#says || 'none'}; ${this.#text.length} characters of the next one`;
  }

  write(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The next answer, also one with a status of 1xx. `hasBody`: false for HEAD. */
  async answer(hasBody: boolean): Promise<Answer> {
    let head = -1;
    await this.#until(() => (head = this.#text.indexOf('\r\n\r\n')) !== -1);
    const [line = '', ...fields] = this.#text.slice(0, head).split('\r\n');
    const headers = Object.fromEntries(fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]));
    const status = Number(line.split(' ')[1]);
    this.#says = headers['connection'] ?? '';
    const length = hasBody && status >= 200 ? Number(headers['content-length']) : 0;
    await this.#until(() => this.#text.length >= head + 4 + length);
    const body = this.#text.slice(head + 4, head + 4 + length);
    this.#text = this.#text.slice(head + 4 + length);
    return { status, headers, body };
  }

  async #until(holds: () => boolean): Promise<void> {
    const late = setTimeout(() => { this.#ended ??= `no answer within ${DEADLINE} ms`; this.#wake?.(); }, DEADLINE);
    try {
      while (!holds()) {
        if (this.#ended !== null) throw new Error(this.#ended);
        await new Promise<void>((resolve) => { this.#wake = resolve; });
      }
    } finally {
      clearTimeout(late);
    }
  }
}

/** Asks until `stop`; then each client ends after its last answer. */
export class Clients {
  readonly tally: Tally = { requests: 0, failed: [], closed: [], wrong: [] };
  /** Milliseconds that each answer took, of clients that send nothing slowly, from the worker that gave the answer before. */
  readonly latencies: number[] = [];
  /** Milliseconds that answers from another worker took: the connection has moved since the answer before, or while the request was on its way. */
  readonly crossed: number[] = [];
  /** How many requests each worker has answered. */
  readonly byWorker: Record<string, number> = {};
  readonly #port: number;
  readonly #random: () => number;
  readonly #thinks: number;
  readonly #running: Promise<void>[] = [];
  readonly #connections: Connection[] = [];
  #stopped = false;
  /** Emits 'go on', and 'all rest' when no client is busy. */
  readonly #events = new EventEmitter().setMaxListeners(0);
  #rests = false;
  #busy = 0;

  /** `random` returns numbers from 0 to 1. `thinks`: after which part of the requests a client pauses, for up to 10 ms. */
  constructor(port: number, mix: Readonly<Partial<Record<Kind, number>>>, random: () => number = Math.random, thinks = 0.2) {
    this.#port = port;
    this.#random = random;
    this.#thinks = thinks;
    let number = 0;
    for (const [kind, count] of Object.entries(mix) as [Kind, number][]) {
      for (let one = 0; one < count; one++) this.#running.push(this.#run(kind, `c${++number}`));
    }
  }

  /** For each worker, the number of connections whose last answer came from it. */
  get connections(): Readonly<Record<number, number>> {
    const counts: Record<number, number> = {};
    for (const { worker } of this.#connections) counts[worker] = (counts[worker] ?? 0) + 1;
    return counts;
  }

  /** All keep their connections, and ask nothing until `goOn`. Resolved when each has its last answer. */
  async rest(): Promise<void> {
    this.#rests = true;
    if (this.#busy > 0) await once(this.#events, 'all rest');
  }

  goOn(): void {
    this.#rests = false;
    this.#events.emit('go on');
  }

  #pauses(): void {
    if (--this.#busy === 0) this.#events.emit('all rest');
  }

  async stop(): Promise<Tally> {
    this.#stopped = true;
    await Promise.all(this.#running);
    return this.tally;
  }

  async #run(kind: Kind, client: string): Promise<void> {
    const connection = new Connection(this.#port);
    this.#connections.push(connection);
    this.#busy++;
    try {
      for (let round = 0; !this.#stopped; round++) {
        while (this.#rests) {
          this.#pauses();
          await once(this.#events, 'go on');
          this.#busy++;
        }
        await this.#ask(connection, kind, `/${client}-${round}`);
        // A connection that is idle for a moment, and one that is never: both are moved.
        if (this.#random() < this.#thinks) await pause(this.#random() * 10);
      }
    } catch (error) {
      const what = `${kind} ${client}: ${(error as Error).message} (${connection.state})`;
      if (connection.ended !== null && !connection.ended.startsWith('no answer')) this.tally.closed.push(what);
      else this.tally.failed.push(what);
    } finally {
      this.#pauses();
      connection.destroy();
    }
  }

  async #ask(connection: Connection, kind: Kind, name: string): Promise<void> {
    const began = performance.now();
    const before = connection.worker;
    switch (kind) {
      case 'get': case 'late': {
        const path = kind === 'late' ? `${name}-late` : name;
        connection.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
        await this.#expect(connection, path, 'GET', '');
        break;
      }
      case 'head':
        connection.write(`HEAD ${name} HTTP/1.1\r\nHost: x\r\n\r\n`);
        await this.#expect(connection, name, 'HEAD', '');
        break;
      case 'pipelining': {
        const names = [0, 1, 2, 3].map((at) => `${name}.${at}`);
        const text = names.map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join('');
        // In two writes, cut anywhere: the second one may come when the first ones are answered.
        const cut = Math.floor(this.#random() * text.length);
        connection.write(text.slice(0, cut));
        if (this.#random() < 0.5) await pause(this.#random() * 3);
        connection.write(text.slice(cut));
        for (const path of names) await this.#expect(connection, path, 'GET', '');
        break;
      }
      case 'body': {
        const body = this.#body();
        connection.write(`POST ${name} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        await this.#expect(connection, name, 'POST', body);
        break;
      }
      case 'chunked': {
        const body = this.#body();
        connection.write(`POST ${name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n`);
        if (this.#random() < 0.5) await pause(this.#random() * 3);
        connection.write('0\r\n\r\n');
        await this.#expect(connection, name, 'POST', body);
        break;
      }
      case 'continue': {
        const body = this.#body();
        connection.write(`PUT ${name} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`);
        const { status } = await connection.answer(false);
        if (status !== 100) this.tally.wrong.push(`${name}: ${status} instead of 100`);
        connection.write(body);
        await this.#expect(connection, name, 'PUT', body);
        break;
      }
      case 'slow': {
        const body = this.#body().slice(0, 200);
        const text = `POST ${name} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
        const [first = 0, second = 0] = [this.#random(), this.#random()].map((part) => Math.floor(part * text.length)).sort((one, other) => one - other);
        for (const piece of [text.slice(0, first), text.slice(first, second), text.slice(second)]) {
          connection.write(piece);
          await pause(this.#random() * 8);
        }
        await this.#expect(connection, name, 'POST', body);
        return;
      }
    }
    (connection.worker === before ? this.latencies : this.crossed).push(performance.now() - began);
  }

  async #expect(connection: Connection, name: string, method: string, sent: string): Promise<void> {
    const { status, headers, body } = await connection.answer(method !== 'HEAD');
    this.tally.requests++;
    if (status !== 200 || headers['x-name'] !== name) this.tally.wrong.push(`${method} ${name}: ${status} ${headers['x-name']}`);
    if (method === 'HEAD') return;
    const told = JSON.parse(body) as { name: string; method: string; length: number; hash: string; worker: number };
    this.byWorker[told.worker] = (this.byWorker[told.worker] ?? 0) + 1;
    connection.worker = told.worker;
    const hash = createHash('sha1').update(sent, 'latin1').digest('hex');
    if (told.name !== name || told.method !== method || told.length !== sent.length || told.hash !== hash) this.tally.wrong.push(`${method} ${name}: ${body}`);
  }

  #body(): string {
    return 'x'.repeat(Math.floor(this.#random() ** 3 * 100_000)) + this.#random();
  }
}

/** A client that sends slowly, or thinks. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
