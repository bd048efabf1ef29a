/**
 * Starts the process that is to replace this one: the same program, with one more pipe. It is in a session of its own, so
 * that it stays when this process ends, and has the standard streams of this one.
 *
 * Owns     nothing: the child and the link belong to the caller
 * Used by  predecessor.ts, successor.ts (the variable)
 * Uses     link.ts, messages.ts, native/spawning.ts, native/pipes.ts
 * Never    passes any other fd: the listening sockets travel over the link
 * Decided  the child gets no preload of this library. It may run another version, and that has to open the link itself
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { newPipe } from '../native/pipes';
import { interceptSpawn, startWithPipe } from '../native/spawning';
import { Link } from './link';
import { PROTOCOL } from './messages';

/** Says `fd,protocol,pid of the predecessor`. The successor deletes it when it loads its cluster. */
export const VARIABLE = 'CLUSTER_INTERNALS_UPGRADE';

/** By this variable a primary with a shared state keeps its children from opening another one (shared_state/client/origin.ts). A successor is no child of that kind. */
const SHARED_STATE = 'CLUSTER_INTERNALS_SHARED_STATE';

/** The fd of the link in the successor. */
const LINK_FD = 3;

/** The program of the successor. */
export interface SuccessorProgram {
  readonly execPath: string;
  /** Flags of Node, the script, and its arguments. */
  readonly args: readonly string[];
}

/** Starts it. If the system cannot start it (no such file, no permission), there is no link, and the child emits 'error'; some errors are thrown. */
export function startSuccessor({ execPath, args }: SuccessorProgram): { readonly child: ChildProcess; readonly link: Link | null } {
  const pipe = newPipe();
  let isStarted = false;
  const end = interceptSpawn((child, _options, start) => {
    const errno = startWithPipe(child, pipe, LINK_FD, (given) => given, start);
    isStarted = errno === 0;
    return errno;
  });
  try {
    const env: NodeJS.ProcessEnv = { ...process.env, [VARIABLE]: `${LINK_FD},${PROTOCOL},${process.pid}` };
    if (env['WATCHDOG_PID'] === String(process.pid)) delete env['WATCHDOG_PID']; // systemd expects the signs of life of the new primary then.
    if (env[SHARED_STATE]?.startsWith(`${process.pid}:`) === true) delete env[SHARED_STATE];
    const child = spawn(execPath, args, { env, detached: true, stdio: ['inherit', 'inherit', 'inherit', 'ignore'] });
    if (isStarted) return { child, link: new Link(pipe, 'P to S') };
    pipe.close();
    return { child, link: null };
  } catch (error) {
    pipe.close();
    throw error;
  } finally {
    end();
  }
}
