/**
 * A client of a control socket: it calls the methods of an app's primary or of the daemon.
 *
 *   const client = await ControlClient.connect(controlPath('web'));
 *   const report = await client.call('reload', {}, { onProgress: (event) => console.log(event) });
 *   client.close();
 *
 * Owns     the connection, and one entry for each call that is not settled. While it is open it keeps the process alive
 * Used by  app/, daemon/, cli/
 * Never    leaves a call unsettled: if the server goes, each call rejects with ERR_CONTROL_CLOSED; if it stands still
 *          (SIGSTOP, an endless loop), with ERR_CONTROL_TIMEOUT, where `connect` was told to look for that
 * Keeps    no more than MOST_CALLS calls in progress at the server; the others wait here, in their order
 */
import { connect, type Socket } from 'node:net';
import { nodeError, separately } from '../../errors';
import { checkLength } from './directory';
import { codeOf, controlError } from './errors';
import { LineReader } from './lines';
import { LONGEST_REPLY, LONGEST_REQUEST, MOST_CALLS, VERSION, readHello, readReply, write, type Hello, type Refusal } from './protocol';

/** How long a server may take to say who it is, unless the caller says otherwise, in milliseconds. */
const CONNECT_MS = 5_000;

/** The options of `connect`. */
export interface ConnectOptions {
  /** How long the server may take to say who it is, in milliseconds; 5 s by default. */
  timeoutMs?: number;
  /**
   * A call may take as long as it takes, but a server that sends nothing for so many milliseconds is asked anew who it
   * is; if it does not say so within `timeoutMs`, it stands still, and all calls reject. Infinity by default: never.
   */
  quietMs?: number;
}

/** The options of a call. */
export interface CallOptions {
  /** Called with each Progress. What it throws is an uncaught exception of this process. */
  onProgress?(value: unknown): void;
  /** Asks the server to end this call. The call then ends with what the server answers. */
  signal?: AbortSignal;
}

interface PendingCall {
  readonly id: number;
  readonly line: string;
  readonly onProgress: ((value: unknown) => void) | undefined;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The error of a call that the server refused, with `code`, and with `report` if it was a command of the supervisor. */
function errorOf({ code, message, report }: Refusal): Error {
  const error = nodeError(Error, code, message);
  return report === undefined ? error : Object.assign(error, { report });
}

/** One connection to a control server. */
export class ControlClient {
  readonly #socket: Socket;
  readonly #lines = new LineReader(LONGEST_REPLY);
  readonly #inProgress = new Map<number, PendingCall>();
  readonly #waiting: PendingCall[] = [];
  readonly #path: string;
  readonly #limits: Required<ConnectOptions>;
  /** Looks whether the server stands still, while calls are in progress. */
  #quiet: NodeJS.Timeout | null = null;
  #isAsking = false;
  /** Called once with who the server is, or with why it cannot be used; null afterwards. */
  #greeted: { resolve(): void; reject(error: Error): void } | null = null;
  #hello: Hello | null = null;
  /** Why the connection is closed; null while it is open. */
  #end: Error | null = null;
  #lastId = 0;

  private constructor(path: string, limits: Required<ConnectOptions>) {
    this.#path = path;
    this.#limits = limits;
    this.#socket = connect(path);
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    this.#socket.on('error', (error) => this.#close(this.#hello === null ? error : this.#gone()));
    this.#socket.on('close', () => this.#close(this.#gone()));
  }

  /**
   * Connects to a control socket.
   *
   * @param path     its path, as `controlPath` returns it
   * @param options  how patient the client is
   * @returns        a promise of the client. It rejects with ENOENT or ECONNREFUSED if nobody is there, with
   *                 ERR_CONTROL_TIMEOUT if the server says nothing in time, with ERR_CONTROL_PROTOCOL if it is no control
   *                 server, and with ERR_VERSION if it speaks another version
   */
  static async connect(path: string, { timeoutMs = CONNECT_MS, quietMs = Infinity }: ConnectOptions = {}): Promise<ControlClient> {
    // Node 20 would connect to the first 107 bytes of a longer path.
    const client = new ControlClient(checkLength(path), { timeoutMs, quietMs });
    const timer = setTimeout(() => client.#close(controlError('ERR_CONTROL_TIMEOUT', `The process at ${path} did not answer in ${timeoutMs} ms`)), timeoutMs);
    try {
      await new Promise<void>((resolve, reject) => { client.#greeted = { resolve, reject }; });
    } finally {
      clearTimeout(timer);
    }
    return client;
  }

  /** Who answers at the socket. */
  get hello(): Hello {
    if (this.#hello === null) throw this.#gone();
    return this.#hello;
  }

  /**
   * Calls a method of the server.
   *
   * @param method   its name
   * @param params   its parameters; what cannot be written as JSON rejects the promise with the error of JSON.stringify
   * @returns        a promise of the result. It rejects with the error of the method, which has a `code` and, for commands
   *                 of the supervisor, a `report`; with ERR_CONTROL_CLOSED if the connection closes before; with an
   *                 AbortError if the signal was aborted before the call
   */
  async call(method: string, params: object = {}, { onProgress, signal }: CallOptions = {}): Promise<unknown> {
    if (this.#end !== null) throw this.#end;
    signal?.throwIfAborted();
    const id = ++this.#lastId;
    const line = write.request(id, method, params);
    if (Buffer.byteLength(line) > LONGEST_REQUEST) throw controlError('ERR_LINE_TOO_LONG', `A request may have ${LONGEST_REQUEST} bytes`);
    const cancel = (): void => this.#cancel(id);
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.push({ id, line, onProgress, resolve, reject });
        signal?.addEventListener('abort', cancel, { once: true });
        this.#sendWaiting();
      });
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** Closes the connection. Calls that are not settled reject with ERR_CONTROL_CLOSED; commands go on in the server. */
  close(): void {
    this.#close(controlError('ERR_CONTROL_CLOSED', 'The client has closed the connection'));
  }

  #sendWaiting(): void {
    while (this.#inProgress.size < MOST_CALLS) {
      const call = this.#waiting.shift();
      if (call === undefined) return;
      this.#inProgress.set(call.id, call);
      this.#socket.write(call.line);
      if (this.#quiet === null) this.#listenFor();
    }
  }

  /** Waits for `quietMs` in which the server sends nothing, and then asks anew. */
  #listenFor(): void {
    const { quietMs } = this.#limits;
    if (quietMs !== Infinity) this.#quiet = setTimeout(() => void this.#askAnew(), quietMs).unref(); // The socket keeps the process alive.
  }

  /** A process that runs greets each client at once, also while its commands take long. */
  async #askAnew(): Promise<void> {
    const { timeoutMs } = this.#limits;
    this.#isAsking = true;
    try {
      (await ControlClient.connect(this.#path, { timeoutMs })).close();
    } catch (error) {
      // Any other error than that of a server that does not answer says nothing: it may have closed its socket while it ends.
      if (codeOf(error) === 'ERR_CONTROL_TIMEOUT') this.#close(controlError('ERR_CONTROL_TIMEOUT', `The process ${this.#hello?.pid ?? ''} at ${this.#path} stands still: it does not answer any more`));
    }
    this.#isAsking = false;
    this.#quiet = null;
    if (this.#end === null && this.#inProgress.size > 0) this.#listenFor();
  }

  #cancel(id: number): void {
    if (this.#inProgress.has(id)) this.#socket.write(write.cancel(id));
    const at = this.#waiting.findIndex((call) => call.id === id);
    if (at !== -1) this.#waiting.splice(at, 1)[0]?.reject(controlError('ERR_CANCELLED', 'The call was cancelled before it was sent'));
  }

  #receive(chunk: Buffer): void {
    if (!this.#isAsking) this.#quiet?.refresh();
    for (const line of this.#lines.push(chunk)) {
      if (this.#end !== null) return;
      if (this.#hello === null) this.#greet(line);
      else this.#reply(line);
    }
    if (this.#lines.isTooLong) this.#close(controlError('ERR_CONTROL_PROTOCOL', `The server sent a line of more than ${LONGEST_REPLY} bytes`));
  }

  #greet(line: Buffer): void {
    const hello = readHello(line);
    if (hello === null) return this.#close(controlError('ERR_CONTROL_PROTOCOL', 'What listens there is no control server'));
    const { version, ...who } = hello;
    if (version !== VERSION) {
      return this.#close(controlError('ERR_VERSION', `${who.name} (pid ${who.pid}) speaks version ${version} of the control protocol, this program version ${VERSION}`));
    }
    this.#hello = who;
    this.#greeted?.resolve();
    this.#greeted = null;
  }

  #reply(line: Buffer): void {
    const reply = readReply(line);
    if (reply === null) return this.#close(controlError('ERR_CONTROL_PROTOCOL', 'The server sent a line that is no reply'));
    if (reply.id === null) return reply.is === 'failure' ? this.#close(errorOf(reply.error)) : undefined;
    const call = this.#inProgress.get(reply.id);
    if (call === undefined) return; // It answers a request that nobody has sent.
    if (reply.is === 'progress') return separately(() => call.onProgress?.(reply.value));
    this.#inProgress.delete(reply.id);
    if (reply.is === 'result') call.resolve(reply.value);
    else call.reject(errorOf(reply.error));
    this.#sendWaiting();
  }

  #gone(): Error {
    return controlError('ERR_CONTROL_CLOSED', 'The server has closed the connection');
  }

  /** Only the first call has an effect. */
  #close(reason: Error): void {
    if (this.#end !== null) return;
    this.#end = reason;
    this.#greeted?.reject(reason);
    this.#greeted = null;
    for (const call of [...this.#inProgress.values(), ...this.#waiting.splice(0)]) call.reject(reason);
    this.#inProgress.clear();
    if (this.#quiet !== null) clearTimeout(this.#quiet);
    this.#socket.destroy();
  }
}
