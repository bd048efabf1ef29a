/**
 * A real systemd as process 1 of its own namespaces: of processes, mounts, network and control groups. Its units are in an
 * empty /etc/systemd/system, /run (with the HOME of the commands) and /srv are empty, and the loopback interface is its own,
 * so every port is free there.
 *
 * Used by  operate/real_systemd.test.ts
 * Owns     the process and its control group; `end` kills all that runs in it. Nothing of the machine's own systemd, if there
 *          is one, is touched
 */
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const SYSTEMD = '/lib/systemd/systemd';
const NAMESPACES = ['--fork', '--pid', '--mount', '--net', '--ipc', '--uts', '--cgroup', '--kill-child'];

/** Where the hierarchy of control groups is mounted that systemd needs; undefined if it is not. */
const cgroups = /^cgroup2 (\S+) cgroup2/m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1];

/** Why there can be none here; null if there can. */
export const noSystemd = ((): string | null => {
  if (!existsSync(SYSTEMD)) return `there is no ${SYSTEMD} (Debian: apt-get install systemd)`;
  if (process.getuid?.() !== 0) return 'it needs root';
  if (cgroups === undefined) return 'cgroup2 is not mounted';
  for (const program of ['ip', 'nsenter', 'curl']) if (spawnSync(program, ['--version']).error !== undefined) return `there is no program ${program}`;
  const { status, stderr } = spawnSync('unshare', [...NAMESPACES, 'mount', '-t', 'tmpfs', 'tmpfs', '/srv'], { encoding: 'utf8' });
  return status === 0 ? null : `unshare has failed: ${stderr}`;
})();

/** Runs as process 1. The targets stand for those of a distribution, which would start much more. */
const FIRST = `
  mount --make-rprivate / && for each in /run /srv /etc/systemd/system /sys/fs/cgroup; do mount -t tmpfs tmpfs $each || exit; done
  mount -t cgroup2 cgroup2 /sys/fs/cgroup && mount -t proc proc /proc && ip link set lo up && mkdir -p -m 700 /run/user/0 || exit
  for each in sysinit basic sockets multi-user network shutdown paths slices timers; do echo '[Unit]' > /etc/systemd/system/$each.target; done
  ln -s multi-user.target /etc/systemd/system/default.target
  exec env -i container=test "PATH=$PATH" SYSTEMD_UNIT_PATH=/etc/systemd/system ${SYSTEMD} --system --show-status=no --log-target=null
`;

/** One systemd. */
export class RealSystemd {
  readonly #group = path.join(cgroups ?? '', `cluster-internals-${process.pid}`);
  readonly #path: string;
  #unshare: ChildProcess | null = null;
  #pid = 0;

  /** `directories`: before those of PATH, for the commands and the services. */
  constructor(...directories: readonly string[]) {
    this.#path = [...directories, process.env['PATH']].join(':');
  }

  /** Starts it. Resolves when it has started its units. */
  async start(): Promise<void> {
    mkdirSync(this.#group);
    const shell = `echo $$ > ${this.#group}/cgroup.procs && exec unshare ${NAMESPACES.join(' ')} sh -c '${FIRST.replaceAll("'", `'\\''`)}'`;
    const child = this.#unshare = spawn('sh', ['-c', shell], { stdio: 'ignore', env: { ...process.env, PATH: this.#path } });
    await until('systemd is running', async () => {
      if (child.exitCode !== null) throw new Error(`systemd has ended with ${child.exitCode}`);
      this.#pid = Number(childrenOf(child.pid ?? 0));
      return this.#pid > 0 && existsSync(`/proc/${this.#pid}/root/run/systemd/private`) && (await this.tries('systemctl is-system-running')).stdout === 'running\n';
    });
  }

  /** Runs a command of the shell beside it. */
  tries(command: string, cwd = '/'): Promise<{ readonly code: unknown; readonly stdout: string; readonly stderr: string }> {
    return new Promise((resolve) => {
      const args = ['-t', String(this.#pid), '-a', 'env', '-i', `PATH=${this.#path}`, 'HOME=/run/user/0', 'SYSTEMD_UNIT_PATH=/etc/systemd/system', 'sh', '-ec', `cd ${cwd}\n${command}`];
      execFile('nsenter', args, { encoding: 'utf8', timeout: 60_000 }, (error, stdout, stderr) => resolve({ code: error === null ? 0 : error.code, stdout, stderr }));
    });
  }

  /** The same. Throws unless it succeeds; resolves to what it has printed. */
  async run(command: string, cwd?: string): Promise<string> {
    const { code, stdout, stderr } = await this.tries(command, cwd);
    if (code !== 0) throw new Error(`exit code ${String(code)} of ${command}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Writes a file as it sees them. */
  write(file: string, content: string): void {
    const seen = `/proc/${this.#pid}/root${file}`;
    mkdirSync(path.dirname(seen), { recursive: true });
    writeFileSync(seen, content);
  }

  /** What `systemctl show` says about a unit. */
  async show(unit: string): Promise<Readonly<Record<string, string>>> {
    return Object.fromEntries((await this.run(`systemctl show ${unit}`)).split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  }

  async end(): Promise<void> {
    const child = this.#unshare;
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit');
      // The end of process 1 is the end of all processes of its namespace.
      if (this.#pid > 0) process.kill(this.#pid, 'SIGKILL');
      else child.kill('SIGKILL');
      await exit;
    }
    if (existsSync(this.#group)) removeGroup(this.#group);
  }
}

const childrenOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  } catch {
    return ''; // It has ended.
  }
};

function removeGroup(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) if (entry.isDirectory()) removeGroup(path.join(directory, entry.name));
  rmdirSync(directory);
}

/** systemd has no events for a shell: it is asked again and again. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`${what}: it did not come to that within 30 s`);
    await delay(20);
  }
}
