/**
 * Clients that ask again and again until they are told to stop, in every way in which a connection can
 * be used, and count what fails.
 */
import { Agent, request, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Socket } from 'node:net';

/** How long a client thinks between two requests, in milliseconds: without that they would take a processor from what they test. */
const THINK_MS = 10;
/** No single answer takes longer; a client that hangs fails here. */
const DEADLINE = 15_000;

export interface Tally {
  requests: number;
  readonly failures: string[];
  /** Which version of the app answered how often. */
  readonly versions: Record<string, number>;
}

export type Style = 'one-shot' | 're-used' | 'keepAlive agent' | 'streaming' | 'upgraded';
export const styles: readonly Style[] = ['one-shot', 're-used', 'keepAlive agent', 'streaming', 'upgraded'];

/** Runs until `stop`, which gives the counts when every client has its last answer. */
export class SteadyLoad {
  readonly tallies = Object.fromEntries(styles.map((style) => [style, { requests: 0, failures: [], versions: {} }])) as unknown as Record<Style, Tally>;
  readonly #port: number;
  readonly #agents: Agent[] = [];
  readonly #running: Promise<void>[] = [];
  readonly #kept = new WeakSet<Socket>();
  #closed = 0;
  #stopped = false;

  /** `lines`: how long a stream is, 10 ms each; `echoes`: how often an upgraded connection is used. */
  constructor(port: number, { lines = 30, echoes = 10, each = 1, chosen = styles }: { lines?: number; echoes?: number; each?: number; chosen?: readonly Style[] } = {}) {
    this.#port = port;
    const pool = this.#agent(8);
    for (let client = 0; client < each; client++) {
      const own = this.#agent(1);
      const loops: Record<Style, [count: number, one: () => Promise<string>]> = {
        'one-shot': [2, () => this.#get('/', { agent: false })],
        're-used': [1, () => this.#get('/', { agent: own })],
        'keepAlive agent': [4, () => this.#get('/', { agent: pool })],
        'streaming': [2, () => this.#stream(lines, pool)],
        'upgraded': [1, () => this.#upgraded(echoes)],
      };
      for (const style of chosen) {
        const [count, one] = loops[style];
        for (let loop = 0; loop < count; loop++) this.#running.push(this.#repeat(style, one));
      }
    }
  }

  async stop(): Promise<Record<Style, Tally>> {
    this.#stopped = true;
    await Promise.all(this.#running);
    for (const agent of this.#agents) agent.destroy();
    return this.tallies;
  }

  /** How many connections the server has closed that an agent kept. */
  get closed(): number {
    return this.#closed;
  }

  get failures(): string[] {
    return styles.flatMap((style) => this.tallies[style].failures.map((failure) => `${style}: ${failure}`));
  }

  get requests(): number {
    return styles.reduce((sum, style) => sum + this.tallies[style].requests, 0);
  }

  #agent(maxSockets: number): Agent {
    const agent = new Agent({ keepAlive: true, maxSockets });
    this.#agents.push(agent);
    return agent;
  }

  async #repeat(style: Style, one: () => Promise<string>): Promise<void> {
    const tally = this.tallies[style];
    while (!this.#stopped) {
      tally.requests++;
      try {
        const version = (await one()).split(' ')[0] as string;
        tally.versions[version] = (tally.versions[version] ?? 0) + 1;
      } catch (error) {
        tally.failures.push(String((error as NodeJS.ErrnoException).code ?? error));
      }
      // A client that thinks: the connection is idle for a moment.
      await new Promise((resolve) => setTimeout(resolve, THINK_MS));
    }
  }

  #get(path: string, options: RequestOptions): Promise<string> {
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: this.#port, path, signal: AbortSignal.timeout(DEADLINE), ...options }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => { body += text; });
        response.on('error', reject).on('end', () => (response.statusCode === 200 ? resolve(body) : reject(new Error(`status ${response.statusCode}`))));
      });
      sent.on('error', reject).on('socket', (socket) => this.#watch(socket, options)).end();
    });
  }

  #watch(socket: Socket, { agent }: RequestOptions): void {
    if (agent === false || this.#kept.has(socket)) return;
    this.#kept.add(socket);
    socket.on('end', () => { if (!this.#stopped) this.#closed++; });
  }

  async #stream(lines: number, agent: Agent): Promise<string> {
    const body = await this.#get(`/stream?lines=${lines}`, { agent });
    if (!body.endsWith('end\n') || body.split('\n').length !== lines + 2) throw new Error(`stream cut off after ${body.length} bytes`);
    return body;
  }

  #upgraded(echoes: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: this.#port, agent: false, headers: { connection: 'Upgrade', upgrade: 'echo' }, signal: AbortSignal.timeout(DEADLINE) });
      sent.on('error', reject).on('response', () => reject(new Error('not upgraded')));
      sent.on('upgrade', (_response: IncomingMessage, socket: Socket) => {
        let echoed = 0;
        const say = (): void => void socket.write(`echo ${echoed}\n`);
        socket.setEncoding('utf8').on('data', (text: string) => {
          if (text !== `echo ${echoed}\n`) return reject(new Error(`echoed ${text}`));
          if (++echoed < echoes) setTimeout(say, 10);
          else socket.end();
        });
        socket.on('error', reject).on('close', () => (echoed === echoes ? resolve('upgraded') : reject(new Error(`closed after ${echoed} echoes`))));
        say();
      });
      sent.end();
    });
  }
}
