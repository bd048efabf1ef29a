/**
 * The daemon is killed at each step of each command, and each time the next daemon must find every app: none twice, none
 * orphaned, and the other app untouched.
 *
 *   npx tsx test/operate/killed_daemon.ts --help
 *
 * A step is one thing that the daemon does to the world outside (../support/kill_at_step.js). For each command: kill at
 * step 1, then at step 2, and so on, until the command completes undisturbed. `reload` and `scale` do not pass through
 * the daemon: there it is killed at each event that the app reports.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ListedApp } from '../../internal/operate/daemon/api';
import { ControlClient } from '../../internal/operate/control/client';
import { controlPath } from '../../internal/operate/control/directory';
import { untilNextLook } from '../support/live';
import { LIST_MS, OperateWorld } from '../support/operate_world';
import { dist } from '../support/program';
import { WrongArgument, runTool } from '../support/tool';

const preload = path.join(__dirname, '../support/kill_at_step.js');

/** What runs before a command, the command, and which states of the app may follow; null: it may be missing. */
interface Scenario {
  readonly name: string;
  readonly before: 'absent' | 'stopped' | 'online' | 'dead';
  readonly method: 'start' | 'stop' | 'delete' | 'restart' | 'save' | 'resurrect' | 'kill' | 'take over' | 'reload' | 'scale';
  readonly params: (world: OperateWorld) => object;
  readonly after: readonly (ListedApp['state'] | null)[];
}

const named = (): object => ({ name: 'app' });
const SCENARIOS: readonly Scenario[] = [
  { name: 'start', before: 'absent', method: 'start', params: (world) => ({ spec: world.spec('app') }), after: [null, 'online'] },
  { name: 'start of a script that throws', before: 'absent', method: 'start', params: (world) => ({ spec: { ...world.spec('app'), exec: world.script('throws.js', 'throw new Error()'), supervise: { restarts: { max: 2, minDelayMs: 1 } } } }), after: [null, 'errored'] },
  { name: 'start of a stopped app', before: 'stopped', method: 'start', params: named, after: ['stopped', 'online'] },
  { name: 'stop', before: 'online', method: 'stop', params: named, after: ['stopped', 'online'] },
  { name: 'delete', before: 'online', method: 'delete', params: named, after: [null, 'stopped', 'online'] },
  { name: 'restart', before: 'online', method: 'restart', params: named, after: ['online'] },
  { name: 'save', before: 'online', method: 'save', params: () => ({}), after: ['online'] },
  { name: 'resurrect', before: 'absent', method: 'resurrect', params: () => ({}), after: [null, 'online'] },
  { name: 'kill', before: 'online', method: 'kill', params: () => ({}), after: ['stopped', 'online'] },
  { name: 'take over', before: 'dead', method: 'take over', params: () => ({}), after: ['online'] },
  { name: 'scale', before: 'online', method: 'scale', params: () => ({ to: 2 }), after: ['online'] },
  { name: 'reload', before: 'online', method: 'reload', params: () => ({}), after: ['online'] },
];

class Killing {
  readonly #world: OperateWorld;
  readonly #arm: string;
  #daemon: ChildProcess | null = null;
  #other = 0;

  constructor(world: OperateWorld) {
    this.#world = world;
    this.#arm = path.join(world.directory, 'arm');
  }

  /** Starts a daemon that is killed at a step from its start on. True if it answers. */
  async daemon(killAt = 0): Promise<boolean> {
    const child = spawn(process.execPath, ['--require', preload, dist('internal/operate/daemon/main.js'), '--started'],
      { env: { ...process.env, ARM: this.#arm, ...(killAt === 0 ? {} : { KILL_AT: String(killAt) }) }, detached: true, stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
    this.#daemon = child;
    const said = child.stdio[3] as NodeJS.ReadableStream | null;
    let text = '';
    await new Promise<void>((resolve) => { said?.on('data', (bytes: Buffer) => { text += bytes.toString(); }).on('error', () => resolve()).on('close', () => resolve()); });
    if (text !== 'ready\n') await this.dead();
    return text === 'ready\n';
  }

  async dead(): Promise<void> {
    const child = this.#daemon;
    if (child !== null && child.exitCode === null && child.signalCode === null) await new Promise((resolve) => { child.once('exit', resolve); });
    this.#daemon = null;
  }

  async kill(): Promise<void> {
    this.#daemon?.kill('SIGKILL');
    await this.dead();
  }

  async arm(step: number): Promise<void> {
    writeFileSync(this.#arm, String(step));
    this.#daemon?.kill('SIGUSR2');
    while (existsSync(this.#arm)) await untilNextLook(1);
  }

  /** Brings the app into the state before the command. */
  async prepare({ before, method }: Scenario): Promise<void> {
    const { apps } = await this.#world.callRunning('list');
    const other = apps.find(({ name }) => name === 'other');
    if (other === undefined) await this.#world.callRunning('start', { spec: this.#world.spec('other') });
    else if (other.state !== 'online') await this.#world.callRunning('start', { name: 'other' });
    this.#other = Number(this.#world.pids('primary', 'other')[0]);
    const app = apps.find(({ name }) => name === 'app');
    if (app !== undefined && (before === 'absent' || before === 'stopped' !== (app.state === 'stopped') || app.state === 'errored')) await this.#world.callRunning('delete', { name: 'app', now: true });
    const is = (await this.#world.callRunning('list')).apps.some(({ name }) => name === 'app');
    if (before !== 'absent' && !is) {
      await this.#world.callRunning('start', { spec: this.#world.spec('app') });
      if (before === 'stopped') await this.#world.callRunning('stop', { name: 'app', now: true });
    }
    if (method === 'scale') {
      const client = await ControlClient.connect(controlPath('app'));
      await client.call('scale', { to: 1 });
      client.close();
    }
    if (method === 'resurrect') {
      await this.#world.callRunning('start', { spec: this.#world.spec('app') });
      await this.#world.callRunning('save');
      await this.#world.callRunning('delete', { name: 'app', now: true });
    }
    if (before === 'dead') {
      await this.kill();
      await this.#world.kill(Number(this.#world.pids('primary', 'app')[0]));
    }
  }

  /** Does the command, and kills the daemon at a step of it. True if the command was completed before. */
  async command({ method, params }: Scenario, step: number): Promise<boolean> {
    if (method === 'take over') return this.daemon(step);
    if (method === 'reload' || method === 'scale') return this.#atEvent(method, params(this.#world), step);
    await this.arm(step);
    const completed = await this.#world.callRunning(method, params(this.#world)).then(() => true, (error: NodeJS.ErrnoException) => {
      if (['ERR_START_FAILED', 'ERR_CONTROL_CLOSED', 'ECONNRESET', 'EPIPE'].includes(String(error.code))) return error.code === 'ERR_START_FAILED';
      throw error;
    });
    if (!completed) await this.dead();
    return completed;
  }

  async #atEvent(method: 'reload' | 'scale', params: object, at: number): Promise<boolean> {
    const client = await ControlClient.connect(controlPath('app'));
    try {
      let count = 0;
      await client.call(method, params, { onProgress: () => { if (++count === at) this.#daemon?.kill('SIGKILL'); } });
      if (count >= at) await this.dead();
      return count < at;
    } finally {
      client.close();
    }
  }

  /** The next daemon: every app, none twice, none orphaned. Throws what is wrong. */
  async check({ name, method, after }: Scenario, step: number): Promise<void> {
    if (this.#daemon === null || this.#daemon.exitCode !== null || this.#daemon.signalCode !== null) await this.daemon();
    const where = `${name}, killed at step ${step}`;
    const fail = (what: string): never => { throw new Error(`${where}: ${what}\n${JSON.stringify(this.#world.processes())}\n${readFileSync(path.join(this.#world.state, 'daemon.log'), 'utf8').split('\n').slice(-25).join('\n')}`); };
    const end = performance.now() + 30_000;
    let apps: readonly ListedApp[];
    for (;;) {
      apps = (await this.#world.callRunning('list')).apps;
      const isSettled = apps.every(({ state, ready, instances }) => state === 'stopped' || state === 'errored' || (state === 'online' && ready === instances));
      // A primary that is not in the list may be one that ends just now.
      const isExact = this.#world.processes().every(({ kind, pid }) => kind !== 'primary' || apps.some((app) => app.pid === pid));
      if (isSettled && isExact) break;
      if (performance.now() > end) fail(`not settled: ${JSON.stringify(apps)}`);
      await untilNextLook(LIST_MS);
    }
    const processes = this.#world.processes();
    if (new Set(apps.map((app) => app.name)).size !== apps.length) fail('an app is listed twice');
    for (const app of apps) {
      const primaries = processes.filter((one) => one.kind === 'primary' && one.app === app.name);
      if (primaries.length !== (app.state === 'online' ? 1 : 0)) fail(`${app.name} is ${app.state}, and has ${primaries.length} primaries`);
      if (app.state === 'online' && app.workers.length !== app.instances) fail(`${app.name} has ${app.workers.length} workers`);
    }
    const stray = processes.filter((one) => one.kind === 'worker' && parentOf(one.pid) !== apps.find((app) => app.name === one.app)?.pid);
    await this.#world.gone(stray.map(({ pid }) => pid)); // A worker whose primary was killed ends by itself.
    const other = apps.find((app) => app.name === 'other');
    if (method !== 'kill' && (other?.state !== 'online' || other.pid !== this.#other)) fail('the other app was touched');
    const app = apps.find((one) => one.name === 'app');
    if (!after.includes(app?.state ?? null)) fail(`the app is ${app?.state ?? 'missing'}`);
    const halves = ['apps', ''].flatMap((directory) => { try { return readdirSync(path.join(this.#world.state, directory)); } catch { return []; } }).filter((file) => file.endsWith('.new'));
    if (halves.length > 0) fail(`files are left: ${halves.join(', ')}`);
  }
}

function parentOf(pid: number): number {
  try {
    return Number(/\) \S+ (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1]);
  } catch {
    return 0;
  }
}

/** `choose`: whether to kill at this step of this scenario. Returns how many kills there were for each scenario. */
export async function killedDaemon(choose: (scenario: number, step: number) => 'kill' | 'skip' | 'enough', report: (line: string) => void = () => undefined): Promise<Map<string, number>> {
  const world = new OperateWorld();
  const kills = new Map<string, number>();
  try {
    const killing = new Killing(world);
    await killing.daemon();
    for (const [index, scenario] of SCENARIOS.entries()) {
      let count = 0;
      for (let step = 1, isCompleted = false; !isCompleted; step++) {
        const choice = choose(index, step);
        if (choice === 'enough') break;
        if (choice === 'skip') continue;
        await killing.prepare(scenario);
        isCompleted = await killing.command(scenario, step);
        if (scenario.method === 'kill' && isCompleted) await killing.dead();
        // What was armed and not reached must not strike later.
        if (isCompleted) await killing.kill();
        else count++;
        await killing.check(scenario, step);
      }
      kills.set(scenario.name, count);
      report(`${scenario.name}: killed at ${count} steps`);
    }
    await killing.kill();
  } finally {
    await world.end();
  }
  return kills;
}

if (require.main === module) {
  runTool({
    name: 'killed_daemon',
    usage: 'npx tsx test/operate/killed_daemon.ts',
    about: 'Kills the daemon at each step of each command; the next daemon must find every app, none twice, none\norphaned. Exit code 1: it does not.',
    takes: 'about 9 minutes for all commands on a machine that does other work, too',
    example: 'npx tsx test/operate/killed_daemon.ts --all stop kill',
    options: { all: { takes: 'nothing', about: 'at each step. It has to be given: there is no shorter run yet' } },
    positionals: { name: '[COMMAND …]', about: `only these: ${SCENARIOS.map(({ name }) => name).join(', ')}` },
  }, async ({ values: { all }, positionals: only }) => {
    if (!all) throw new WrongArgument('--all is missing');
    const unknown = only.find((one) => !SCENARIOS.some(({ name }) => name === one));
    if (unknown !== undefined) throw new WrongArgument(`there is no command '${unknown}'`);
    const isChosen = (scenario: number): boolean => only.length === 0 || only.includes(SCENARIOS[scenario]?.name ?? '');
    const kills = await killedDaemon((scenario) => (isChosen(scenario) ? 'kill' : 'enough'), (line) => process.stdout.write(`${line}\n`));
    process.stdout.write(`${[...kills.values()].reduce((sum, count) => sum + count, 0)} kills: every app found, none twice, none orphaned\n`);
  });
}
