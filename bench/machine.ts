/** The machine, the Node and the commit of a run. Used by bench/run.ts and bench/report.ts. */
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { execFileSync } from 'node:child_process';

export interface Machine {
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly commit: string;
  /** When the run began, UTC. */
  readonly date: string;
  /** The load average of the last minute before it. */
  readonly load: number;
}

export function thisMachine(): Machine {
  return {
    node: process.versions.node, cpu: cpus()[0]?.model.trim() ?? 'unknown', cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30), kernel: release(), commit: commit(), date: new Date().toISOString(), load: loadavg()[0] ?? 0,
  };
}

/** The commit that was measured; 'unknown' outside a git repository. */
function commit(): string {
  try {
    const git = (...args: string[]): string => execFileSync('git', args, { cwd: __dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' with changes'}`;
  } catch {
    return 'unknown';
  }
}
