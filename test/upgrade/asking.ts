/** Clients that open a connection for each request. Each request has a name of its own, which the answer must have too. */
import { get } from 'node:http';

/** How long a client thinks between two requests, in milliseconds: without that this process would take a processor for itself. */
const THINK_MS = 10;

/** So many clients that each open a connection, ask once, read the answer, and think; every second answer is 5 ms late. */
export class Asking {
  readonly #failed: string[] = [];
  readonly #running: Promise<void>[];
  #requests = 0;
  #isOver = false;
  #wake: () => void = () => undefined;

  /** `at`: a port of 127.0.0.1, or the path of a unix socket. */
  constructor(at: number | string, clients: number) {
    this.#running = Array.from({ length: clients }, async (_, client) => {
      for (let count = 0; !this.#isOver; count++) {
        const name = `/${client}-${count}${count % 2 === 0 ? '' : '-late'}`;
        const failure = await ask(at, name);
        this.#requests++;
        if (failure !== null) this.#failed.push(`${name}: ${failure}`);
        this.#wake();
        await new Promise((resolve) => setTimeout(resolve, THINK_MS));
      }
    });
  }

  /** Resolves after `count` more requests. */
  async answered(count: number): Promise<void> {
    const until = this.#requests + count;
    while (this.#requests < until) await new Promise<void>((resolve) => { this.#wake = resolve; });
  }

  async stop(): Promise<{ requests: number; failed: readonly string[] }> {
    this.#isOver = true;
    await Promise.all(this.#running);
    return { requests: this.#requests, failed: this.#failed };
  }
}

/** What was wrong with the answer; null: nothing. */
function ask(at: number | string, name: string): Promise<string | null> {
  return new Promise((resolve) => {
    const request = get({ ...(typeof at === 'string' ? { socketPath: at } : { port: at, host: '127.0.0.1' }), path: name, agent: false, timeout: 15_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => { body += text; })
        .on('end', () => resolve(body.includes(`"${name}"`) ? null : `wrong: ${body}`)).on('error', (error) => resolve(error.message));
    }).on('timeout', () => request.destroy(new Error('no answer within 15 s'))).on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}
