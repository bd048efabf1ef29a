/** A client of a control socket that writes whatever a test wants, and reads lines. */
import { connect, type Socket } from 'node:net';
import { within } from '../support/children';

export class RawClient {
  readonly socket: Socket;
  readonly lines: Record<string, unknown>[] = [];
  /** The code of the error that closed it; null if it was closed without one. */
  readonly closed: Promise<string | null>;
  #rest = '';
  #wake = (): void => undefined;

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true });
    let code: string | null = null;
    this.socket.on('error', (error: NodeJS.ErrnoException) => { code = error.code ?? 'error'; });
    this.socket.on('data', (chunk) => {
      const lines = (this.#rest + String(chunk)).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.lines.push(JSON.parse(line) as Record<string, unknown>);
      this.#wake();
    });
    this.socket.on('end', () => this.socket.end()); // The server has ended its side.
    this.closed = new Promise((resolve) => this.socket.on('close', () => {
      resolve(code);
      this.#wake();
    }));
  }

  /** Connects, and waits for the Hello. */
  static async connect(path: string): Promise<RawClient> {
    const client = new RawClient(path);
    await client.until(() => client.lines.length > 0, 'the hello');
    return client;
  }

  /** Waits until `fact` is true; it is looked at after each read, and at the end. */
  async until(fact: () => boolean, what: string): Promise<void> {
    await within<void>(20_000, what, (resolve, reject) => {
      this.#wake = () => {
        if (fact()) resolve();
        else if (this.socket.destroyed) reject(new Error(`closed before ${what}`));
      };
      this.#wake();
    });
  }

  write(...messages: object[]): void {
    this.socket.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
  }

  /** Resolves with the reply to this id: not a progress. */
  async reply(id: number | undefined): Promise<Record<string, unknown>> {
    const find = (): Record<string, unknown> | undefined => this.lines.find((line) => line['id'] === id && !('progress' in line) && !('hello' in line));
    await this.until(() => find() !== undefined, `the reply to ${id}`);
    return find() ?? {};
  }

  async request(id: number, method: string, params?: object): Promise<Record<string, unknown>> {
    this.write({ id, version: 1, method, ...(params === undefined ? {} : { params }) });
    return this.reply(id);
  }

  destroy(): Promise<string | null> {
    this.socket.destroy();
    return this.closed;
  }
}

/** The code of the error in a reply. */
export const codeIn = (reply: Record<string, unknown>): unknown => (reply['error'] as { code?: unknown } | undefined)?.code;
