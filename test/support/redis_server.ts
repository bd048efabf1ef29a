/**
 * A real Redis server for tests, with a Unix socket in a directory of its own, `appendonly yes` and `appendfsync always`.
 *
 * Owns     the process and the directory; `end` ends and removes them
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { RedisTestClient } from './redis_client';

const found = spawnSync(process.env['REDIS_SERVER'] ?? 'redis-server', ['--version'], { encoding: 'utf8' });

/** Is there a redis-server on this machine? */
export const hasRedis = found.status === 0;

/** What a test file says where there is none. */
export const NO_REDIS = '\n  NO redis-server: sharedState({ store }) over Redis is NOT TESTED. apt-get install redis-server, or set REDIS_SERVER to its path.\n';

/** One server. */
export class RedisServer {
  readonly path: string;
  readonly #directory = mkdtempSync(path.join(tmpdir(), 'redis-'));
  readonly #appendOnly: 'yes' | 'no';
  readonly #port: number;
  #process: ChildProcess | null = null;

  /** `keeps`: false for a server that loses everything since the latest SAVE when it is killed. `port`: on 127.0.0.1, for a replica. */
  constructor({ keeps = true, port = 0 } = {}) {
    this.#port = port;
    this.path = path.join(this.#directory, 'socket');
    this.#appendOnly = keeps ? 'yes' : 'no';
  }

  /** Starts the server, with what it had when it was killed. Resolves when it answers. */
  async start(): Promise<void> {
    const config = { port: String(this.#port), bind: '127.0.0.1', unixsocket: this.path, dir: this.#directory, 'repl-diskless-sync-delay': '0', appendonly: this.#appendOnly, appendfsync: 'always', save: '', daemonize: 'no' };
    this.#process = spawn(process.env['REDIS_SERVER'] ?? 'redis-server', Object.entries(config).flatMap(([name, value]) => [`--${name}`, value]), { stdio: 'ignore' });
    const client = await new RedisTestClient(this.path).connect();
    try {
      // It accepts connections while it loads its data.
      while (await client.sendCommand(['PING']).catch((error: Error) => error.message) !== 'PONG');
    } finally {
      client.destroy();
    }
  }

  /** Kills it with a signal. Resolves when its process has ended, unless the signal only stops it. */
  async signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const running = this.#process;
    if (running === null) return;
    const exit = once(running, 'exit');
    running.kill(signal);
    if (signal === 'SIGKILL') {
      this.#process = null;
      await exit;
    }
  }

  /** A connected client. */
  async connect(): Promise<RedisTestClient> {
    return new RedisTestClient(this.path).connect();
  }

  async end(): Promise<void> {
    await this.signal('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
