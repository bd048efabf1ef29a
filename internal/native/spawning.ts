/**
 * Starts a child process that has one more pipe, through Node's own child_process.
 *
 * Used by  channel/bootstrap_env.ts, channel/node_channel.ts, channel/spawn.ts, recording/recorder.ts, upgrade/start.ts
 * Never    imports any other file of this project than builtins.ts and files of this directory (see bindings.ts)
 */
import type { ChildProcess } from 'node:child_process';
import { NativeObject } from '../builtins';
import { type NativePipe } from './bindings';

/** The options of a child that Node is about to start. Node has checked the caller's options and filled in defaults. */
export interface PreparedSpawn {
  /** The program. */
  readonly file: unknown;
  /** The child's working directory; without it, the one of this process. */
  readonly cwd?: unknown;
  /** The child's user and group; without them, those of this process. */
  readonly uid?: unknown;
  readonly gid?: unknown;
  /** As the caller wrote it: Node has not checked the entries. */
  stdio?: unknown;
  readonly serialization?: 'json' | 'advanced';
  /** Each is `NAME=value`. */
  envPairs?: readonly string[];
  /** The first is the name of the program. */
  readonly args?: readonly string[];
}

/**
 * Calls `begin` for each child that this process is about to start, until the returned function is called. `spawn`,
 * `fork` and all other functions of Node's child_process call the method that is replaced here. `begin` must call
 * `start` once and return its result. `begin` must also expect unrelated children: while Node prepares a child, it can
 * run code of the app (a getter, a proxy), and that code may start another one.
 */
export function interceptSpawn(begin: (child: ChildProcess, options: PreparedSpawn, start: () => number) => number): () => void {
  // Loaded here, so that a worker that never forks does not load it.
  const { prototype } = (require('node:child_process') as any).ChildProcess;
  const before = prototype.spawn;
  const { spawn } = {
    spawn(this: ChildProcess, options: PreparedSpawn): number {
      return begin(this, options, () => before.call(this, options));
    },
  };
  prototype.spawn = spawn;
  return () => {
    // If other code has replaced the method since, its replacement stays.
    if (prototype.spawn === spawn) prototype.spawn = before;
  };
}

/** The command line and the environment of a child. */
export interface Spawned {
  readonly args: readonly string[];
  readonly envPairs: readonly string[];
}

/**
 * Starts a child whose fd number `slot` is `pipe` (borrowed), whatever its stdio array has there. `changed` can replace
 * its arguments and environment. `start` is the function that `interceptSpawn` passes. For this it replaces the native
 * `spawn` of this one child. On Node 20 and 22 that gets one object with all options; from 24 on file, arguments, cwd,
 * environment and stdio are separate parameters.
 */
export function startWithPipe(
  child: ChildProcess, pipe: NativePipe, slot: number, changed: (given: Spawned) => Spawned, start: () => number,
): number {
  const native = (child as any)._handle;
  native.spawn = (...given: any[]): number => {
    delete native.spawn;
    const [options] = given;
    const apart = given.length > 1;
    const { args, envPairs } = changed(apart
      ? { args: given[1] ?? [given[0]], envPairs: given[3] ?? [] }
      : { args: options.args ?? [options.file], envPairs: options.envPairs ?? [] });
    // A copy, because Node later makes a net.Socket of each handle in its own array.
    const stdio = (apart ? given[4] : options.stdio).with(slot, { __proto__: null, type: 'pipe', handle: pipe });
    if (apart) return native.spawn(given[0], args, given[2], envPairs, stdio, ...given.slice(5));
    return native.spawn({ __proto__: null, ...options, args, envPairs, stdio });
  };
  try {
    return start();
  } finally {
    delete native.spawn;
  }
}

/**
 * A ChildProcess emits 'close' when it has exited and all its streams have ended. This function makes it wait for one
 * more event, which the caller reports by calling the returned function.
 */
export function delayClose(child: ChildProcess): () => void {
  const counts = child as any;
  counts._closesNeeded++;
  return () => {
    counts._closesGot++;
    if (counts._closesGot === counts._closesNeeded) child.emit('close', child.exitCode, child.signalCode);
  };
}

/** Is Node's own channel to that child reading right now, so that it is the caller? It calls 'message' listeners later, outside a read. */
export function isReadingChannel(child: ChildProcess): boolean {
  const symbol = NativeObject.getOwnPropertySymbols(child).find((own) => own.description === 'kChannelHandle');
  const handle = symbol === undefined ? undefined : (child as any)[symbol];
  return handle !== undefined && handle !== null && handle.getAsyncId() === (require('node:async_hooks') as typeof import('node:async_hooks')).executionAsyncId();
}

/** Is this process a single executable application (node:sea)? Such a program ignores Node's command line flags. */
export function isSingleExecutable(): boolean {
  return require('node:sea').isSea();
}
