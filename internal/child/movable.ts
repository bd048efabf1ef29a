/**
 * May a connection move to another worker, as far as the app is concerned? The app's `cluster.worker.movable(socket)`
 * decides. Where the app has none, or its function returns undefined, a socket to which the app has added listeners or
 * properties of its own stays: the app would lose them.
 *
 * Used by  returns.ts
 * Uses     native/idle_connections.ts (a socket of an http server that no app has touched), own_listeners.ts
 * Never    lets an exception of the app's function out: the connection stays, and the exception is an uncaught one
 */
import type { Socket } from 'node:net';
import { Map, Reflect, Set } from '../builtins';
import { separately } from '../errors';
import { untouchedSocket } from '../native/idle_connections';
import { isOwn } from '../own_listeners';

/**
 * `cluster.worker.movable` returns true if the connection may move. undefined: it may if the app has added nothing to the
 * socket. Anything else: it stays. A promise too, whatever it will say: the answer is needed now.
 */
export type Movable = (socket: Socket) => unknown;

/** A socket of an http server that no app has touched: the properties and listeners that it has from Node, also while it writes a response. */
interface Untouched {
  readonly properties: ReadonlySet<string | symbol>;
  /** The names of the listeners of each event. */
  readonly listeners: ReadonlyMap<string | symbol, readonly string[]>;
}

let untouched: Untouched | undefined;

/** Properties that Node adds to a socket later than at its start. */
const LATER: readonly string[] = ['timeout', '_peername', '_sockname', '_paused'];

/**
 * Does the app let this connection move? `whenIdle`: the connection is busy now, and the answer is for the time when it is
 * idle. Then listeners do not count: a framework adds its own for each request, and removes them with the response.
 */
export function mayMove(socket: Socket, movable: unknown, whenIdle = false): boolean {
  if (typeof movable === 'function') {
    let answer: unknown = false;
    separately(() => { answer = (movable as Movable)(socket); });
    if (answer !== undefined) return answer === true;
  }
  return isUntouched(socket, whenIdle);
}

function isUntouched(socket: Socket, ignoreListeners: boolean): boolean {
  const { properties, listeners } = untouched ??= describe(untouchedSocket());
  for (const key of Reflect.ownKeys(socket)) if (!properties.has(key)) return false;
  if (ignoreListeners) return true;
  for (const event of socket.eventNames()) {
    const known = listeners.get(event) ?? [];
    const found = socket.rawListeners(event).filter((listener) => !isOwn(listener));
    if (found.length > known.length || found.some(({ name }, at) => name !== known[at])) return false;
  }
  return true;
}

function describe(socket: Socket): Untouched {
  const listeners = new Map(socket.eventNames().map((event) => [event, socket.rawListeners(event).map(({ name }) => name)] as const));
  return { properties: new Set([...Reflect.ownKeys(socket), ...LATER]), listeners };
}
