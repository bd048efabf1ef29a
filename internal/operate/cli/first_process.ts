/**
 * What `run` does when it is process 1 of a container.
 *
 * Process 1 inherits every process whose parent has ended, and has to wait for it; otherwise it stays as a zombie, and
 * some day the container has no more pids. Node waits only for the children that it started itself. So `run` replaces
 * itself by a small shell, which starts `run` again as its child, passes signals on to it, waits for every process, and
 * ends with the exit code of `run`:
 *
 *   node run (pid 1)  ── execve ──►  sh (pid 1: waits for all)  ── starts ──►  node run  ── forks ──►  workers
 *
 * Node can replace itself from 22.15 on (`process.execve`). On Node 20, or where there is no /bin/sh, `run` goes on as it
 * is and says so: signals work, but zombies stay. `docker run --init` puts another program in front, which does the same.
 *
 * Used by  run.ts
 * Never    returns if the shell has taken over
 */
import { accessSync, constants } from 'node:fs';

const SHELL = '/bin/sh';

/**
 * The shell's program. The first `wait` may end because a signal came: its trap has set `again`, and the shell waits anew.
 * 127: `run` was waited for already, so the code of the last `wait` was its own. The app keeps the container's stdin,
 * which a shell would take from a program in the background.
 */
const REAPER = `
exec 3<&0
"$@" <&3 3<&- &
run=$!
exec 3<&-
for signal in HUP INT QUIT TERM USR1 USR2 TTIN TTOU CONT WINCH; do trap "again=1; kill -$signal $run 2>/dev/null" $signal; done
code=
while :; do
  again=
  wait "$run"; now=$?
  if [ "$now" = 127 ] && [ -n "$code" ]; then break; fi
  code=$now
  if [ -z "$again" ]; then break; fi
done
exit "$code"
`;

interface Replaceable {
  execve(file: string, args: readonly string[], env: NodeJS.ProcessEnv): never;
}

const canReplaceItself = (candidate: object): candidate is Replaceable => 'execve' in candidate && typeof candidate.execve === 'function';

/**
 * Makes this process a child of a process 1 that waits for all others, if it is process 1 itself. `warn` gets a line if
 * that is not possible.
 */
export function becomeChildOfReaper(warn: (text: string) => void, self: NodeJS.Process = process): void {
  if (self.pid !== 1) return;
  try {
    accessSync(SHELL, constants.X_OK);
    if (canReplaceItself(self)) self.execve(SHELL, ['sh', '-c', REAPER, 'sh', self.execPath, ...self.execArgv, ...self.argv.slice(1)], self.env);
    warn(advice(`Node ${self.versions.node} cannot replace itself (22.15 and later can)`));
  } catch (error) {
    warn(advice(error instanceof Error ? error.message : String(error)));
  }
}

const advice = (reason: string): string => `cluster-internals: run is process 1, and processes whose parents have ended will stay as zombies, because ${reason}. `
  + 'Start the container with an init (docker run --init, "init: true" in Compose, shareProcessNamespace in Kubernetes)';
