/**
 * `child_process.fork` over our own channel.
 *
 * Node     https://nodejs.org/api/child_process.html#child_processforkmodulepath-args-options
 */
import type { ChildProcess, ForkOptions } from 'node:child_process';
import { loadRole } from '../internal/startup/load_role';

const { fork: forkOnChannel } = loadRole();

/**
 * Starts a Node program that is connected with this one by a channel: `child.send` here, `process.send`
 * there, 'message' on both.
 *
 * @param modulePath  the program's path, or a `file:` URL
 * @param args        its arguments; may be left out
 * @param options     Node's options: cwd, detached, env, execPath, execArgv, gid, serialization, signal,
 *                    killSignal, silent, stdio, timeout (ms), uid
 * @returns the ChildProcess, which the caller owns: it ends when the program does or is killed
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_CHILD_PROCESS_IPC_REQUIRED, ERR_IPC_ONE_PIPE
 */
export function fork(modulePath: string | URL, args?: readonly string[] | ForkOptions | null, options?: ForkOptions): ChildProcess {
  return forkOnChannel(modulePath, args, options);
}
