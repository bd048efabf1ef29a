/**
 * `child_process.fork` over our own channel instead of Node's.
 *
 * Node     https://nodejs.org/api/child_process.html#child_processforkmodulepath-args-options
 */
import type { ChildProcess, ForkOptions } from 'node:child_process';
import { loadRole } from '../internal/startup/load_role';

const { fork: forkOnChannel } = loadRole();

/**
 * Starts a Node program that has a channel to this one: `child.send` here, `process.send`
 * there, 'message' on both.
 *
 * @param modulePath  the program's path, or a `file:` URL
 * @param args        its arguments; may be left out
 * @param options     Node's options: cwd, detached, env, execPath, execArgv, gid, serialization, signal,
 *                    killSignal, silent, stdio, timeout (ms), uid
 * @returns the ChildProcess. The caller owns it: nothing else here ends it
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_CHILD_PROCESS_IPC_REQUIRED, ERR_IPC_ONE_PIPE
 */
export function fork(modulePath: string | URL, args?: readonly string[] | ForkOptions | null, options?: ForkOptions): ChildProcess {
  return forkOnChannel(modulePath, args, options);
}
