/**
 * A user of their own for a test: a HOME and a directory for control sockets, the daemon of that user, and the processes
 * that belong to it. `end()` kills what is left.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DaemonMethods, ListResult, ListedApp } from '../../internal/operate/daemon/api';
import { ControlClient } from '../../internal/operate/control/client';
import { controlPath } from '../../internal/operate/control/directory';
import { daemonSocket, spawnDaemon } from '../../internal/operate/daemon/spawn_daemon';
import { lives } from '../soak/proc';
import { untilNextLook } from './live';

/** Milliseconds between two looks at the list of apps: for each, the daemon asks every primary. */
export const LIST_MS = 25;

export interface OwnProcess {
  readonly pid: number;
  readonly kind: 'daemon' | 'primary' | 'worker';
  /** The name of the app; '' for the daemon. */
  readonly app: string;
}

type Call<Name extends keyof DaemonMethods> = (name: Name, params?: DaemonMethods[Name]['params'] | Record<string, unknown>) => Promise<DaemonMethods[Name]['result']>;

/** One world. While it exists, it is this process's environment. */
export class OperateWorld {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'operate-'));
  readonly state = path.join(this.directory, '.local/state/cluster-internals');
  readonly #before = { ...process.env };

  constructor() {
    const runtime = path.join(this.directory, 'run');
    mkdirSync(runtime, { mode: 0o700 });
    Object.assign(process.env, { HOME: this.directory, XDG_RUNTIME_DIR: runtime });
    delete process.env['XDG_STATE_HOME'];
  }

  /** Writes a script, and returns its path. */
  script(name: string, text: string): string {
    const file = path.join(this.directory, name);
    writeFileSync(file, text);
    return file;
  }

  /** The spec of an app that is ready as soon as it runs. */
  spec(name: string, more: Record<string, unknown> = {}): { name: string; exec: string; cwd: string; env: Record<string, string>; supervise: object } {
    const exec = path.join(this.directory, 'idle.js');
    if (!existsSync(exec)) this.script('idle.js', 'setInterval(() => {}, 2 ** 30);');
    return { name, exec, cwd: this.directory, env: { PATH: String(process.env['PATH']) }, ...more, supervise: { ready: 'online', canaryMs: 0, ...more['supervise'] as object } };
  }

  /** Calls the daemon, which is started if it does not run. */
  readonly call = async <Name extends keyof DaemonMethods>(...[name, params = {}]: Parameters<Call<Name>>): Promise<DaemonMethods[Name]['result']> => {
    await spawnDaemon();
    return this.callRunning(name, params);
  };

  /** Calls the daemon that runs. */
  async callRunning<Name extends keyof DaemonMethods>(name: Name, params: object = {}, onProgress: (value: unknown) => void = () => undefined): Promise<DaemonMethods[Name]['result']> {
    const client = await ControlClient.connect(daemonSocket());
    try {
      return await client.call(name, params, { onProgress }) as DaemonMethods[Name]['result'];
    } finally {
      client.close();
    }
  }

  /** Calls the primary of an app. */
  async app(name: string, method: string, params: object = {}): Promise<unknown> {
    const client = await ControlClient.connect(controlPath(name));
    try {
      return await client.call(method, params);
    } finally {
      client.close();
    }
  }

  /** One app of the list. */
  async listed(name: string): Promise<ListedApp> {
    const { apps }: ListResult = await this.call('list');
    const app = apps.find((one) => one.name === name);
    if (app === undefined) throw new Error(`${name} is not in the list`);
    return app;
  }

  /** Looks at the list until `fact` holds for one app. There is no event for a process that this one did not start. */
  async until(name: string, fact: (app: ListedApp) => boolean, deadline = 20_000): Promise<ListedApp> {
    const end = performance.now() + deadline;
    for (;;) {
      const app = await this.listed(name);
      if (fact(app)) return app;
      if (performance.now() > end) throw new Error(`${name} is ${JSON.stringify(app)}`);
      await untilNextLook(LIST_MS);
    }
  }

  /** Looks at a log until `fact` holds for its lines: what an app prints comes there a while after the app is said to be ready. */
  async logged(file: string, fact: (lines: readonly string[]) => boolean, deadline = 20_000): Promise<void> {
    const end = performance.now() + deadline;
    for (;;) {
      const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
      if (fact(lines)) return;
      if (performance.now() > end) throw new Error(`in ${file}: ${JSON.stringify(lines)}`);
      await untilNextLook();
    }
  }

  /** The processes of this world that run. */
  processes(): OwnProcess[] {
    return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).flatMap((pid): OwnProcess[] => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        if (words === '') return []; // A zombie, or a thread of the kernel.
        const cmdline = words.split('\0');
        const environ = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        const at = cmdline.findIndex((word) => word.endsWith('app/app_primary.js'));
        if (at !== -1 && cmdline[at + 2] === this.state) return [{ pid: Number(pid), kind: 'primary', app: cmdline[at + 1] ?? '' }];
        if (cmdline.some((word) => word.endsWith('daemon/main.js')) && environ.includes(`HOME=${this.directory}`)) return [{ pid: Number(pid), kind: 'daemon', app: '' }];
        const mark = environ.find((one) => one.startsWith(`CLUSTER_INTERNALS_APP=${this.directory}/`));
        return mark === undefined ? [] : [{ pid: Number(pid), kind: 'worker', app: path.basename(mark, '.sock') }];
      } catch {
        return []; // It has ended, or belongs to somebody else.
      }
    });
  }

  pids(kind: OwnProcess['kind'], app = ''): number[] {
    return this.processes().filter((one) => one.kind === kind && (app === '' || one.app === app)).map(({ pid }) => pid);
  }

  /** Kills a process, and waits until it is gone. */
  async kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    process.kill(pid, signal);
    await this.gone([pid]);
  }

  /** Waits until none of these processes runs. */
  async gone(pids: readonly number[], deadline = 20_000): Promise<void> {
    const end = performance.now() + deadline;
    while (pids.some(lives)) {
      if (performance.now() > end) throw new Error(`these did not end: ${pids.join(', ')}`);
      await untilNextLook();
    }
  }

  /** Kills every process of this world, and removes its files. */
  async end(): Promise<void> {
    for (let left = this.processes(); left.length > 0; left = this.processes()) {
      for (const { pid } of left) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          continue; // It ended meanwhile.
        }
      }
      await this.gone(left.map(({ pid }) => pid));
    }
    rmSync(this.directory, { recursive: true, force: true });
    for (const name of ['HOME', 'XDG_RUNTIME_DIR', 'XDG_STATE_HOME']) {
      if (this.#before[name] === undefined) delete process.env[name];
      else process.env[name] = this.#before[name];
    }
  }
}

/** Runs `body` in a world of its own. */
export async function inWorld(body: (world: OperateWorld) => Promise<void>): Promise<void> {
  const world = new OperateWorld();
  try {
    await body(world);
  } finally {
    await world.end();
  }
}

/** Runs a program as another user; resolves with its stdout. */
export function asUser(user: string, command: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('setpriv', [`--reuid=${user}`, `--regid=${user === 'nobody' ? 'nogroup' : user}`, '--clear-groups', ...command], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.on('data', (bytes: Buffer) => { out += bytes.toString(); });
    child.stderr.on('data', (bytes: Buffer) => { out += bytes.toString(); });
    child.on('error', reject);
    child.on('close', () => resolve(out));
  });
}

/** How a call has ended: 'done', or the code and the message of its error. */
export const codeOf = async (call: Promise<unknown>): Promise<string> => call.then(() => 'done', (error: NodeJS.ErrnoException) => `${error.code}: ${error.message}`);

/** The body that is answered at this port, over a connection of its own. */
export const get = (port: number): Promise<string> => new Promise((resolve, reject) => {
  const asked = request({ port, agent: false }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (part: string) => { text += part; });
    response.on('end', () => resolve(text));
  });
  asked.on('error', reject).end();
});
