/**
 * A client of Redis for tests, with those members of the npm package `redis` that examples/redis/store.ts uses, and with
 * its behaviour: it connects again by itself, keeps commands meanwhile, and rejects those that were under way.
 *
 * Owns     its socket and the timer of its next attempt; `destroy` ends both
 */
import { EventEmitter } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Milliseconds between two attempts to connect. */
const AGAIN_MS = 20;

interface Command { readonly bytes: string; sent: boolean; resolve(reply: unknown): void; reject(error: Error): void }

/** What the reader has found at the beginning of the bytes: a reply and where it ends. Null: it is not complete. */
type Parsed = { readonly reply: unknown; readonly end: number } | null;

/** A connection to a Redis server at a Unix socket. */
export class RedisTestClient extends EventEmitter {
  readonly #path: string;
  #socket: Socket | null = null;
  #timer: NodeJS.Timeout | undefined;
  #open = false;
  #connected = false;
  #bytes: Buffer = Buffer.alloc(0);
  #commands: Command[] = [];
  readonly #channels = new Map<string, (message: string) => void>();

  constructor(path: string) {
    super();
    this.#path = path;
  }

  /** Resolves at the first connection. */
  async connect(): Promise<this> {
    this.#open = true;
    const ready = new Promise((resolve) => this.once('ready', resolve));
    this.#connect();
    await ready;
    return this;
  }

  /** Another client of the same server, not connected. */
  duplicate(): RedisTestClient {
    return new RedisTestClient(this.#path);
  }

  /** Ends the connection at once. What is under way rejects. */
  destroy(): void {
    this.#open = false;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
    this.#fail('Disconnects client', true);
  }

  eval(script: string, { keys, arguments: rest }: { keys: string[]; arguments: string[] }): Promise<unknown> {
    return this.sendCommand(['EVAL', script, String(keys.length), ...keys, ...rest]);
  }

  evalSha(sha1: string, { keys, arguments: rest }: { keys: string[]; arguments: string[] }): Promise<unknown> {
    return this.sendCommand(['EVALSHA', sha1, String(keys.length), ...keys, ...rest]);
  }

  async subscribe(channel: string, listener: (message: string) => void): Promise<void> {
    this.#channels.set(channel, listener);
    await this.sendCommand(['SUBSCRIBE', channel]);
  }

  sendCommand(words: readonly string[]): Promise<unknown> {
    if (!this.#open) return Promise.reject(new Error('The client is closed'));
    return new Promise((resolve, reject) => {
      const bytes = `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
      const command: Command = { bytes, sent: this.#connected, resolve, reject };
      this.#commands.push(command);
      if (command.sent) this.#socket?.write(bytes);
    });
  }

  #connect(): void {
    const socket = this.#socket = connect(this.#path);
    this.#bytes = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('error', (error) => {
      if (this.listenerCount('error') > 0) this.emit('error', error);
    });
    socket.on('connect', () => {
      this.#connected = true;
      for (const channel of this.#channels.keys()) {
        this.#commands.unshift({ bytes: `*2\r\n$9\r\nSUBSCRIBE\r\n$${Buffer.byteLength(channel)}\r\n${channel}\r\n`, sent: false, resolve: () => undefined, reject: () => undefined });
      }
      for (const command of this.#commands) {
        command.sent = true;
        socket.write(command.bytes);
      }
      this.emit('ready');
    });
    socket.on('close', () => {
      this.#connected = false;
      this.#fail('Socket closed unexpectedly', false);
      if (this.#open) this.#timer = setTimeout(() => this.#connect(), AGAIN_MS);
    });
  }

  /** Rejects the commands that were sent, or all. */
  #fail(message: string, all: boolean): void {
    const failed = this.#commands.filter(({ sent }) => sent || all);
    this.#commands = this.#commands.filter((command) => !failed.includes(command));
    for (const { reject } of failed) reject(new Error(message));
  }

  #read(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (let parsed = this.#parse(0); parsed !== null; parsed = this.#parse(0)) {
      this.#bytes = this.#bytes.subarray(parsed.end);
      const { reply } = parsed;
      if (Array.isArray(reply) && reply[0] === 'message') {
        this.#channels.get(String(reply[1]))?.(String(reply[2]));
        continue;
      }
      const command = this.#commands.shift();
      if (reply instanceof Error) command?.reject(reply);
      else command?.resolve(reply);
    }
  }

  #parse(from: number): Parsed {
    const line = this.#bytes.indexOf('\r\n', from);
    if (line === -1) return null;
    const text = this.#bytes.toString('utf8', from + 1, line);
    const end = line + 2;
    switch (String.fromCharCode(this.#bytes[from] ?? 0)) {
      case '+': return { reply: text, end };
      case '-': return { reply: new Error(text), end };
      case ':': return { reply: Number(text), end };
      case '$': {
        const length = Number(text);
        if (length === -1) return { reply: null, end };
        return this.#bytes.length < end + length + 2 ? null : { reply: this.#bytes.toString('utf8', end, end + length), end: end + length + 2 };
      }
      case '*': {
        const items: unknown[] = [];
        let at = end;
        for (let left = Number(text); left > 0; left--) {
          const item = this.#parse(at);
          if (item === null) return null;
          items.push(item.reply);
          at = item.end;
        }
        return { reply: items, end: at };
      }
      default: throw new Error(`Redis has sent ${this.#bytes.toString('latin1', from, from + 20)}`);
    }
  }
}
