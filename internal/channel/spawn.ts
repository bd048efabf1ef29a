/**
 * Starts a Node program with one pipe more, and speaks over it. This is `child_process.fork` with
 * our channel in the place of Node's.
 *
 * Owns     the parent's end of the pipe until the channel has it
 * Used by  lib/child_process.ts, master/index.ts
 * Never    uses Node's own IPC: no stdio 'ipc', no NODE_CHANNEL_FD, unless the child is a stock one
 * Wire     pipelined: `--require preload.js` and CLUSTER_INTERNALS_CHANNEL=<fd>,<serialization> in the
 *          child's environment; the preload takes both away before the app runs
 *          node:      NODE_CHANNEL_FD and NODE_CHANNEL_SERIALIZATION_MODE, as Node sets them
 * Node     https://nodejs.org/api/child_process.html#child_processforkmodulepath-args-options
 */
import childProcess, { type ChildProcess, type ForkOptions, type SpawnOptions, type StdioOptions } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { builtFile } from '../built';
import { nodeError } from '../errors';
import { NO_LIMITS, limitsFrom, type ChannelLimits } from '../limits';
import { canOpenChannels, delayClose, evalString, newPipe, spawnWithPipe } from '../native';
import type { Dialect } from './channel';
import type { Serialization } from './framing';
import { announceChannel, announcePreload } from './inherited';
import { forkOnNodesChannel } from './nodes_own';
import { equip } from './process_face';

/** Node's options, each of which may be undefined as in Node, and three of our own. */
export type ChannelForkOptions = { [Name in keyof ForkOptions]: ForkOptions[Name] | undefined } & {
  /** What the child speaks: 'node' for a child that runs without our preload. */
  dialect?: Dialect | undefined;
  windowsHide?: boolean | undefined;
  /** What this side bears of the child; no limits by default (limits.ts). */
  limits?: Partial<ChannelLimits> | undefined;
  /** How the parent's end is named in the trace. */
  name?: string | undefined;
};

/** What a child runs first. */
export const preloadPath = builtFile('internal/child/entry.bundle.js');

/**
 * Starts `modulePath` in a new Node process that is connected with this one.
 * Arguments, defaults and errors are those of `child_process.fork`. The caller owns the child.
 */
export function fork(modulePath: string | URL, args?: readonly string[] | ChannelForkOptions | null, options?: ChannelForkOptions): ChildProcess {
  if (!canOpenChannels) return forkOnNodesChannel(modulePath, args, options);
  if (args !== null && args !== undefined && !Array.isArray(args) && typeof args === 'object') {
    options = args as ChannelForkOptions;
    args = [];
  }
  checkArguments(modulePath, args, options);
  const given: ChannelForkOptions = { ...options };
  const { name = 'P', serialization = 'json', execPath = process.execPath } = given;
  // Another program than this Node may be no Node at all: it gets what Node's documentation promises it.
  const dialect = given.dialect ?? (execPath === process.execPath || !execPath ? 'pipelined' : 'node');
  const limits = limitsFrom(given.limits, NO_LIMITS);
  const script = modulePath instanceof URL ? fileURLToPath(modulePath) : String(modulePath);
  const stdio = stdioArray(given);
  const slot = stdio.indexOf('ipc');
  stdio[slot] = 'ignore';

  const env = childEnvironment(given.env ?? process.env, dialect, slot, serialization);
  const preload = dialect === 'node' ? [] : announcePreload(env, preloadPath);
  const spawnOptions = {
    ...given,
    stdio: stdio as StdioOptions,
    shell: false,
    env,
  } as SpawnOptions;
  const pipe = newPipe();
  const spawnArguments = [...preload, ...inheritedExecArgv(given.execArgv), script, ...((args ?? []) as string[])];
  let child: ChildProcess;
  try {
    child = spawnWithPipe(pipe, slot, () => spawn(execPath || process.execPath, spawnArguments, spawnOptions));
  } catch (error) {
    pipe.close();
    throw error;
  }
  child.spawnargs.splice(1, preload.length); // The program did not ask for these.
  equip(child, pipe, { serialization, dialect, name, limits }, 'parent', delayClose(child));
  return child;
}

/** Node's own, also when somebody has put another in its place since, as `register_fork` does. */
const { spawn } = childProcess;
const nodeFork = childProcess.fork as unknown as (...args: unknown[]) => void;

/** Bad arguments get the error that Node gives: its own fork is asked, which throws before it starts anything. */
function checkArguments(modulePath: unknown, args: unknown, options: unknown): void {
  const goodPath = typeof modulePath === 'string' ? !modulePath.includes('\0') : modulePath instanceof URL || modulePath instanceof Uint8Array;
  if (!goodPath) nodeFork(modulePath);
  if (args !== undefined && args !== null && !Array.isArray(args)) nodeFork(modulePath, args);
  if (options !== undefined && options !== null && (typeof options !== 'object' || Array.isArray(options))) {
    nodeFork(modulePath, args, options);
  }
  const { execPath, execArgv = [] } = (options ?? {}) as ForkOptions;
  // No program can be given a text with a null byte.
  if ([modulePath, execPath, ...(args as unknown[] ?? []), ...execArgv].some((text) => String(text).includes('\0'))) {
    nodeFork(modulePath, args, options);
  }
}

/** The stdio array with its one 'ipc' entry, by Node's rules. */
function stdioArray({ stdio, silent }: ChannelForkOptions): unknown[] {
  if (typeof stdio === 'string') return [...childStdio(stdio), 'ipc'];
  if (!Array.isArray(stdio)) return [...childStdio(silent ? 'pipe' : 'inherit'), 'ipc'];
  const entries: unknown[] = [...stdio];
  const first = entries.indexOf('ipc');
  if (first === -1) {
    throw nodeError(Error, 'ERR_CHILD_PROCESS_IPC_REQUIRED', "Forked processes must have an IPC channel, missing value 'ipc' in options.stdio");
  }
  if (entries.includes('ipc', first + 1)) {
    throw nodeError(Error, 'ERR_IPC_ONE_PIPE', 'Child process can have only one IPC pipe');
  }
  return entries;
}

function childStdio(all: string): string[] {
  if (all === 'ignore' || all === 'overlapped' || all === 'pipe' || all === 'inherit') return [all, all, all];
  throw nodeError(TypeError, 'ERR_INVALID_ARG_VALUE', `The argument 'stdio' is invalid. Received '${all}'`);
}

function childEnvironment(env: NodeJS.ProcessEnv, dialect: Dialect, slot: number, serialization: Serialization): NodeJS.ProcessEnv {
  const child: NodeJS.ProcessEnv = {};
  for (const name in env) child[name] = env[name]; // Inherited ones too, as Node does.
  if (dialect === 'node') {
    child['NODE_CHANNEL_FD'] = String(slot);
    child['NODE_CHANNEL_SERIALIZATION_MODE'] = serialization;
  } else {
    announceChannel(child, { fd: slot, serialization });
  }
  return child;
}

/** A child inherits the runtime's flags, but not the program of `node -e`, which would fork itself. */
function inheritedExecArgv(given: readonly string[] | undefined): readonly string[] {
  if (given && given !== process.execArgv) return given;
  const program = evalString();
  const at = program === undefined ? -1 : process.execArgv.lastIndexOf(program);
  return at > 0 ? process.execArgv.filter((_, index) => index !== at && index !== at - 1) : process.execArgv;
}
