/**
 * Starts a child with one pipe more, by Node's own child_process.
 *
 * Used by  channel/spawn.ts, channel/node_channel.ts, master/index.ts
 * Never    imports anything of this project but builtins.ts and this directory; bindings.ts says more
 */
import type { ChildProcess } from 'node:child_process';
import { NativeObject } from '../builtins';
import { type NativePipe } from './bindings';

/** A child that Node's child_process is about to start: its own code has checked and completed what the caller gave. */
export interface PreparedSpawn {
  /** The program. */
  readonly file: unknown;
  /** The directory it starts in; this process's, if there is none. */
  readonly cwd?: unknown;
  /** The user and the group of the child; this process's, if there are none. */
  readonly uid?: unknown;
  readonly gid?: unknown;
  /** As the caller wrote it: each entry may be anything. */
  stdio?: unknown;
  readonly serialization?: 'json' | 'advanced';
  /** `NAME=value`, each. */
  readonly envPairs?: readonly string[];
  /** With the name of the program in front. */
  readonly args?: readonly string[];
}

/**
 * Shows `begin` each child that this process starts, before it is started, until the returned function
 * is called. `spawn`, `fork` and all others of Node's child_process meet in this method. `begin` calls
 * `start`, once, and returns what that returned. It has to expect children that are not its own: what Node calls in
 * an app (a getter, a proxy) may start others.
 */
export function interceptSpawn(begin: (child: ChildProcess, options: PreparedSpawn, start: () => number) => number): () => void {
  // Required here, since a worker that never forks need not load it.
  const { prototype } = (require('node:child_process') as any).ChildProcess;
  const before = prototype.spawn;
  const { spawn } = {
    spawn(this: ChildProcess, options: PreparedSpawn): number {
      return begin(this, options, () => before.call(this, options));
    },
  };
  prototype.spawn = spawn;
  return () => {
    // Somebody who has put another in its place since keeps that.
    if (prototype.spawn === spawn) prototype.spawn = before;
  };
}

/** What a child is started with beside its stdio. */
export interface Spawned {
  readonly args: readonly string[];
  readonly envPairs: readonly string[];
}

/**
 * Gives a child `pipe` (borrowed) as fd number `slot` in place of what its stdio array says there, and
 * `changed` arguments and environment. `start` is that of `interceptSpawn`. Only this child's native
 * spawn is intercepted: the stdio array is `options.stdio` on 20 and 22; from 24 on file, arguments,
 * cwd, environment and stdio are arguments of their own.
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
    // A copy: Node wraps a net.Socket around every handle that it finds in its own array afterwards.
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
 * A ChildProcess emits 'close' when it has exited and all its streams have ended. This makes it
 * wait for one thing more; the function that is returned says that it has ended.
 */
export function delayClose(child: ChildProcess): () => void {
  const counts = child as any;
  counts._closesNeeded++;
  return () => {
    counts._closesGot++;
    if (counts._closesGot === counts._closesNeeded) child.emit('close', child.exitCode, child.signalCode);
  };
}

/** Is this called by Node's own channel with that child, as it reads? Listeners to its messages are called later. */
export function isReadingChannel(child: ChildProcess): boolean {
  const symbol = NativeObject.getOwnPropertySymbols(child).find((own) => own.description === 'kChannelHandle');
  const handle = symbol === undefined ? undefined : (child as any)[symbol];
  return handle !== undefined && handle !== null && handle.getAsyncId() === (require('node:async_hooks') as typeof import('node:async_hooks')).executionAsyncId();
}

/** Is this process a program that carries its Node in its own file? Such a file reads no flag that it is given. */
export function isSingleExecutable(): boolean {
  return require('node:sea').isSea();
}
