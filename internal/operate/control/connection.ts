/**
 * One client of a control server: reads its requests, runs the methods, writes the replies.
 *
 * Owns     the socket of the client; one AbortController for each request that is not answered. `#gone` gives all back
 * Used by  server.ts
 * Uses     turns.ts (when a request may begin)
 * States   open ── the client ends its side ──► answering ── the last reply is written ──► closed
 *            │      `end`, for the server          │
 *            └── the client is gone, or cut off ───┴──────────────────────────────────────► closed
 * Never    throws, and never keeps the process alive: whatever a client sends, or a method throws, becomes a reply or
 *          the end of this connection
 * Keeps    1. exactly one Result or Failure for each request that was accepted, while the client is there
 *          2. no more than MOST_CALLS requests that are not answered, one line of LONGEST_REQUEST bytes, and MOST_UNREAD
 *             bytes that the client does not read
 *          3. what a method reports after its reply goes nowhere
 *          4. a request begins when it is this client's turn, and when the client has read the earlier replies, so that
 *             replies do not pile up. Requests that have not begun when the client is gone, or is cut off, never begin
 */
import type { Socket } from 'node:net';
import { timers } from '../../builtins';
import { controlError, refusal, refusalOf } from './errors';
import { LineReader } from './lines';
import type { Turns } from './turns';
import {
  LONGEST_REPLY, LONGEST_REQUEST, MOST_CALLS, MOST_UNREAD, VERSION, readClientLine, write, type Hello, type Refusal, type Request,
} from './protocol';

/** After a chunk of at least so many bytes the next one waits for a turn of the event loop. Requests that people make are far shorter. */
const LARGE_CHUNK = 16_384;

/** One request in progress, as its method sees it. */
export interface Call {
  /** Aborted when the client cancels the request or goes away. A method that follows something ends then; a command goes on. */
  readonly signal: AbortSignal;
  /** Sends a Progress. Does nothing after the method has ended. Never throws. */
  progress(value: object): void;
}

/**
 * Does what a request asks for. The promise's value becomes the Result; an error becomes a Failure with its `code` and
 * `message`. `params` come from outside: each must be checked.
 */
export type Method = (params: Readonly<Record<string, unknown>>, call: Call) => Promise<unknown>;

/** The connection of one client. */
export class Connection {
  readonly #socket: Socket;
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #turns: Turns;
  readonly #lines = new LineReader(LONGEST_REQUEST);
  /** The requests that are not answered, by their ids. */
  readonly #calls = new Map<number, AbortController>();
  /** How to begin those of them that have not begun, in their order. */
  #waiting: (() => void)[] = [];
  readonly #closed: () => void;
  #state: 'open' | 'answering' | 'closed' = 'open';
  #isGreeted = false;

  /** `socket` is transferred. `closed` is called once, when nothing of this connection is left. */
  constructor(socket: Socket, hello: Hello, methods: ReadonlyMap<string, Method>, turns: Turns, closed: () => void) {
    this.#socket = socket;
    this.#methods = methods;
    this.#turns = turns;
    this.#closed = closed;
    socket.unref();
    socket.on('error', () => socket.destroy()); // EPIPE or ECONNRESET: 'close' follows.
    socket.on('close', () => this.#gone());
    socket.on('end', () => this.end());
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('drain', () => this.#turns.add(this));
    this.#send(write.hello(hello));
  }

  /** Takes no more requests, ends those that follow something, and closes the connection when the others have ended. */
  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'answering';
    this.#abortAll();
    this.#closeIfDone();
  }

  /** Tells the client why, as far as it reads, and closes the connection. Commands in progress go on. */
  cut(error: Refusal): void {
    if (this.#state === 'closed') return;
    this.#socket.uncork(); // `#receive` may hold back replies; only what the client does not read counts.
    const reads = this.#socket.writableLength === 0;
    if (reads) this.#send(write.failure(null, error));
    this.#close();
    // The kernel did not take this line either: do not wait for a client that does not read.
    if (!reads || this.#socket.writableLength > 0) this.#socket.destroy();
  }

  /** For `Turns`: begins the oldest request that waits, unless replies wait for the client to read them. Then 'drain' follows. */
  begin(): boolean {
    if (this.#socket.writableNeedDrain) return false;
    this.#waiting.shift()?.();
    return this.#waiting.length > 0;
  }

  /** Closes the connection at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#socket.cork(); // Many refusals are one write.
    for (const line of this.#lines.push(chunk)) {
      if (this.#state !== 'open') break;
      this.#read(line);
    }
    this.#socket.uncork();
    if (this.#state !== 'open') return;
    if (this.#lines.isTooLong) this.cut(refusal('ERR_LINE_TOO_LONG', `A line of more than ${LONGEST_REQUEST} bytes was received`));
    else if (chunk.length >= LARGE_CHUNK) this.#rest();
  }

  /** Lets the other clients go first, when this one has sent much: libuv would read up to 2 MiB of it before it turns to them. */
  #rest(): void {
    this.#socket.pause();
    timers.setImmediate(() => {
      if (this.#state !== 'closed') this.#socket.resume();
    });
  }

  #read(line: Buffer): void {
    const message = readClientLine(line);
    if (message === null) return this.cut(refusal('ERR_CONTROL_PROTOCOL', 'A line was received that is no request, or has too many parts: see internal/operate/control/protocol.ts'));
    if ('cancel' in message) return this.#calls.get(message.cancel)?.abort();
    if (message.version !== VERSION && (message.version !== null || !this.#isGreeted)) {
      return this.cut(refusal('ERR_VERSION', `This server speaks version ${VERSION} of the control protocol, the client ${message.version ?? 'does not say which'}`));
    }
    this.#isGreeted = true;
    if (this.#calls.has(message.id)) return this.cut(refusal('ERR_CONTROL_PROTOCOL', `A request with the id ${message.id} is in progress already`));
    this.#request(message);
  }

  #request({ id, method: name, params }: Request): void {
    const method = this.#methods.get(name);
    if (method === undefined) {
      return this.#send(write.failure(id, refusal('ERR_UNKNOWN_METHOD', `There is no method ${JSON.stringify(name.slice(0, 64))}. Methods: ${[...this.#methods.keys()].join(', ')}`)));
    }
    if (this.#calls.size >= MOST_CALLS) return this.#send(write.failure(id, refusal('ERR_TOO_MANY_CALLS', `${MOST_CALLS} requests of this client are not answered yet`)));
    const controller = new AbortController();
    this.#calls.set(id, controller);
    this.#waiting.push(() => void this.#run(id, method, params, controller));
    this.#turns.add(this);
  }

  /** Runs a method to its end. Never rejects. */
  async #run(id: number, method: Method, params: Request['params'], controller: AbortController): Promise<void> {
    const isCurrent = (): boolean => this.#calls.get(id) === controller;
    let line: string;
    try {
      const result = await method(params, { signal: controller.signal, progress: (value) => { if (isCurrent()) this.#progress(id, value); } });
      line = write.result(id, result);
      if (Buffer.byteLength(line) > LONGEST_REPLY) throw controlError('ERR_LINE_TOO_LONG', `The result has more than ${LONGEST_REPLY} bytes`);
    } catch (error) {
      line = write.failure(id, refusalOf(error));
    }
    if (!isCurrent()) return;
    this.#calls.delete(id);
    this.#send(line);
    this.#closeIfDone();
  }

  #progress(id: number, value: object): void {
    let line: string;
    try {
      line = write.progress(id, value);
    } catch (error) {
      return this.cut(refusalOf(error));
    }
    if (Buffer.byteLength(line) > LONGEST_REPLY) return this.cut(refusal('ERR_LINE_TOO_LONG', `A progress has more than ${LONGEST_REPLY} bytes`));
    this.#send(line);
  }

  #send(line: string): void {
    if (this.#state === 'closed' || !this.#socket.writable) return;
    if (this.#socket.writableLength + line.length > MOST_UNREAD) this.#socket.destroy();
    else this.#socket.write(line);
  }

  #closeIfDone(): void {
    if (this.#state === 'answering' && this.#calls.size === 0) this.#close();
  }

  /** Closes the connection, after what waits to be written if the client takes it. */
  #close(): void {
    this.#forgetAll();
    this.#socket.pause();
    this.#socket.destroySoon();
  }

  #forgetAll(): void {
    this.#state = 'closed';
    this.#abortAll();
    this.#calls.clear();
    this.#waiting = [];
  }

  #abortAll(): void {
    for (const controller of this.#calls.values()) controller.abort();
  }

  #gone(): void {
    this.#forgetAll();
    this.#closed();
  }
}
