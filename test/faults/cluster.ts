/** A running faults_cluster.js: its port, its workers, and a way to end it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { expect } from 'vitest';
import { liveChildren, openFds, untilNextLook } from '../support/live';
import { Program, root } from '../support/program';

export interface Options {
  readonly workers: number;
  readonly policy?: 'rr' | 'none';
  readonly dialect?: 'pipelined' | 'node';
  readonly env?: NodeJS.ProcessEnv;
  /** What runs the primary; this Node by default. */
  readonly node?: string;
  /** Milliseconds after which it is killed: more than usual if many tests share it. */
  readonly deadline?: number;
}

export class FaultyCluster {
  readonly program: Program;
  /** A connection with the primary itself. */
  #line: Socket | undefined;

  private constructor({ workers, policy = 'rr', dialect = 'pipelined', env = {}, node, deadline = 50_000 }: Options) {
    this.program = new Program(path.join(root, 'test/fixtures/faults_cluster.js'), {
      args: [String(workers), policy, dialect], env, deadline, ...(node === undefined ? {} : { node }),
    });
  }

  /** Starts it; returns when all workers listen. */
  static async start(options: Options): Promise<FaultyCluster> {
    const cluster = new FaultyCluster(options);
    const [, port] = await cluster.program.prints(/^primary port=(\d+)$/m);
    cluster.#line = connect(Number(port), '127.0.0.1').setEncoding('utf8');
    await cluster.alive();
    for (let id = 1; id <= options.workers; id++) await cluster.listens(id);
    return cluster;
  }

  /** Waits until worker `id` listens; its pid. */
  async listens(id: number): Promise<number> {
    const [, pid] = await this.program.prints(new RegExp(`^listening ${id} pid=(\\d+) port=\\d+$`, 'm'));
    return Number(pid);
  }

  /** The last one told: when all workers had ended, and the next asked for port 0 again, it is another. */
  get port(): number {
    return Number([...this.program.output.matchAll(/^listening \d+ pid=\d+ port=(\d+)$/gm)].at(-1)?.[1]);
  }

  get pid(): number {
    return this.program.child.pid as number;
  }

  /** How many sockets and pipes the primary has open. */
  get fds(): number {
    return openFds(this.pid).length;
  }

  /** Asks the primary whether it lives. */
  async alive(): Promise<void> {
    const answered = once(this.#line as Socket, 'data', { signal: AbortSignal.timeout(30_000) });
    this.#line?.write('?');
    expect(await answered).toEqual(['alive']);
  }

  /** Waits until a fact about the primary is true: asks it something, which lets its events pass, and looks again a little later. */
  async until(fact: () => boolean, what: string, deadline = 30_000): Promise<void> {
    const end = performance.now() + deadline;
    while (!fact()) {
      if (performance.now() > end) throw new Error(`not within ${deadline} ms: ${what}; fds ${this.fds}\n${this.program.output}`);
      await this.alive();
      await untilNextLook();
    }
  }

  /** How many lines of its output match. */
  count(pattern: RegExp): number {
    return [...this.program.output.matchAll(pattern)].length;
  }

  /** Ends it as it should end; what it printed. */
  async end(): Promise<string> {
    const { code, signal, stdout, stderr } = await this.program.stop('SIGTERM');
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
    return stdout;
  }

  /** For `finally`: nothing is left whatever happened, not even a worker that loops and does not see its primary go. */
  async kill(): Promise<void> {
    this.#line?.destroy();
    for (const worker of liveChildren(this.pid)) process.kill(Number(worker), 'SIGKILL');
    await this.program.stop('SIGKILL').catch(() => undefined);
  }
}

/** Runs `body` with a cluster, and ends what is left of it. */
export async function withCluster(options: Options, body: (cluster: FaultyCluster) => Promise<void>): Promise<void> {
  const cluster = await FaultyCluster.start(options);
  try {
    await body(cluster);
  } finally {
    await cluster.kill();
  }
}
