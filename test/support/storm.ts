/**
 * A storm: commands (reload, scale, stop) and signals to workers, in random order, on a real supervisor. The last
 * command is a scale; when it has done its work, the supervisor must run exactly the workers that it asked for.
 *
 * Used by  bench/storm.ts, test/supervisor/guard.test.ts
 */
import type { Report, Supervisor } from '../../lib/supervisor';
import { seeded } from './seeded';
import { liveChildren } from './live';

export interface Storm {
  /** How often each command was given. */
  readonly commands: Record<string, number>;
  /** How often a command ended in each way. */
  readonly outcomes: Record<string, number>;
  /** The number of workers that the last command, a scale, asked for. */
  readonly wanted: number;
}

/** How it ended. All is well if `alive` equals `placed`, and both have `wanted` members. */
export interface Aftermath extends Storm {
  /** The pids of the children of this process, without those that were there before the storm. */
  readonly alive: string[];
  /** The pids of the workers that the supervisor has. */
  readonly placed: string[];
}

/** `count` commands for up to `most` workers. `stepped` is called after each. */
export async function storm(supervisor: Supervisor, count: number, seed: number, most: number, stepped: () => void = () => {}): Promise<Aftermath> {
  const below = seeded(seed);
  const before = liveChildren().filter((pid) => !supervisor.status().workers.some((worker) => String(worker.pid) === pid));
  const commands: Record<string, number> = {};
  const promises: Promise<string>[] = [];
  const promise = (report: Promise<Report>): void => {
    promises.push(report.then(({ command, outcome }) => `${command} ${outcome}`, (error: { code?: string }) => String(error.code)));
  };
  for (let step = 0; step < count; step++) {
    const kind = ['reload', 'scale', 'scale', 'kill', 'stop', 'term'][below(6)] as string;
    commands[kind] = (commands[kind] ?? 0) + 1;
    const { workers } = supervisor.status();
    const victim = workers.filter(({ pid }) => pid !== null)[below(Math.max(1, workers.length))]?.pid;
    if (kind === 'reload') promise(supervisor.reload());
    if (kind === 'scale') promise(supervisor.scale(1 + below(most)));
    if (kind === 'stop') promise(below(4) === 0 ? supervisor.stop({ now: true }) : supervisor.stop());
    if ((kind === 'kill' || kind === 'term') && victim != null) signal(victim, kind === 'kill' ? 'SIGKILL' : 'SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, below(60)));
    stepped();
  }
  const wanted = 1 + below(most);
  const last = supervisor.scale(wanted);
  promise(last);
  await last;
  const outcomes: Record<string, number> = {};
  for (const outcome of await Promise.all(promises)) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  await settled(supervisor);
  return {
    commands, outcomes, wanted,
    alive: liveChildren().filter((pid) => !before.includes(pid)).sort(),
    placed: supervisor.status().workers.map(({ pid }) => String(pid)).sort(),
  };
}

/** Resolves when no worker starts or leaves any more. A transition is emitted before the supervisor has acted on it: look in the next turn. */
function settled(supervisor: Supervisor): Promise<void> {
  return new Promise((resolve) => {
    const told = (): void => void setImmediate(look);
    const look = (): void => {
      const { workers, desired, reload } = supervisor.status();
      if (reload !== 'idle' || workers.length !== desired || workers.some(({ state }) => state.is !== 'ready')) return;
      supervisor.removeListener('transition', told);
      supervisor.removeListener('reload', told);
      resolve();
    };
    supervisor.on('transition', told).on('reload', told);
    look();
  });
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // ESRCH: the worker has ended by itself.
  }
}
