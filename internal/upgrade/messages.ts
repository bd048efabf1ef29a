/**
 * The messages between a primary (the predecessor, P) and the one that replaces it (the successor, S), with their guards.
 *
 * Wire     S → P hello                       the library runs in S. P ends S if it speaks another protocol
 *          P → S address + fd, socket + fd, …, begin     all listening addresses, and sockets of the primary itself. Until `begin` no query of a worker of S is answered
 *          S → P ready | failed              all workers of S are ready, or cannot be kept running
 *          P → S commit                      from now on S outlives P
 *          S → P serving                     from now on P hands no connection to its own workers, and these leave
 *          P → S connection + fd             one that P has accepted, or that a worker of P has given back
 *          S → P taken                       a worker of S has it: P closes its copy
 *          S → P state, P → S state            the shared state is in P until `last`
 *          P → S last                        P has neither workers nor connections any more, and has stopped accepting
 *          S → P done                        S accepts: P ends
 *          P → S stop                        at any time after `commit`: P was told to stop, and S has to stop as well
 * Used by  link.ts, predecessor.ts, start.ts, successor.ts
 * Uses     registry.ts (a type)
 * Keeps    a process of another version can be at the other end: a message that no guard accepts is ignored, and a field that is
 *          not known is not read
 */
import { isObject, type Fields } from '../is_object';
import type { AddressQuery } from './registry';

/** The `cmd` of each message: no listener of the program sees it. */
export const UPGRADE = 'NODE_CLUSTER_UPGRADE';

/** The version of these messages. Both ends must have the same. */
export const PROTOCOL = 2;

/** From the successor. */
export type SuccessorMessage =
  | { readonly act: 'hello'; readonly protocol: number; readonly pid: number; readonly node: string }
  /** `adopted`: the ids of the addresses at which its workers listen. */
  | { readonly act: 'ready'; readonly adopted: readonly number[] }
  | { readonly act: 'failed'; readonly reason: string }
  | { readonly act: 'serving' }
  /** `taken: false`: nobody listens there, or too many wait for a worker that will. Both processes close the connection. */
  | { readonly act: 'taken'; readonly seq: number; readonly taken: boolean }
  /** Of the process of S with this key, for the server of the shared state; `message` is null at its end. */
  | { readonly act: 'state'; readonly key: number; readonly id: number; readonly message: object | null }
  | { readonly act: 'done' };

/** From the predecessor. `parts`: the values of registry.ts. */
export type PredecessorMessage =
  | { readonly act: 'address'; readonly id: number; readonly query: AddressQuery; readonly data: unknown }
  /** A listening socket of the primary itself: that of /metrics, for example, or one of systemd at which no worker listens. */
  | { readonly act: 'socket'; readonly name: string }
  | { readonly act: 'begin'; readonly hasState: boolean }
  | { readonly act: 'state'; readonly key: number; readonly message: object }
  | { readonly act: 'commit'; readonly parts: Readonly<Record<string, unknown>> }
  | { readonly act: 'connection'; readonly seq: number; readonly id: number; readonly moved: boolean }
  /** `now`: without waiting for requests. */
  | { readonly act: 'stop'; readonly now: boolean }
  /** `state`: the shared state, in which so many messages of S are `handled`. */
  | { readonly act: 'last'; readonly parts: Readonly<Record<string, unknown>>; readonly state: unknown; readonly handled: number };

const isNumber = (value: unknown): value is number => typeof value === 'number';
const isNullOr = (value: unknown, type: 'string' | 'number'): boolean => value === null || typeof value === type;

const isQuery = (value: unknown): value is AddressQuery => isObject(value) && isNullOr(value['address'], 'string') && isNullOr(value['port'], 'number')
  && (isNullOr(value['addressType'], 'string') || isNumber(value['addressType'])) && isNullOr(value['fd'], 'number') && isNumber(value['index'])
  && (value['vacantMs'] === undefined || isNumber(value['vacantMs']));

const ofSuccessor: Readonly<Record<SuccessorMessage['act'], (message: Fields) => boolean>> = {
  hello: ({ protocol, pid, node }) => isNumber(protocol) && isNumber(pid) && typeof node === 'string',
  ready: ({ adopted }) => Array.isArray(adopted) && adopted.every(isNumber),
  failed: ({ reason }) => typeof reason === 'string',
  serving: () => true,
  taken: ({ seq, taken }) => isNumber(seq) && typeof taken === 'boolean',
  state: ({ key, id, message }) => isNumber(key) && isNumber(id) && typeof message === 'object',
  done: () => true,
};

const ofPredecessor: Readonly<Record<PredecessorMessage['act'], (message: Fields) => boolean>> = {
  address: ({ id, query }) => isNumber(id) && isQuery(query),
  socket: ({ name }) => typeof name === 'string',
  begin: ({ hasState }) => typeof hasState === 'boolean',
  state: ({ key, message }) => isNumber(key) && isObject(message),
  commit: ({ parts }) => isObject(parts),
  connection: ({ seq, id, moved }) => isNumber(seq) && isNumber(id) && typeof moved === 'boolean',
  stop: ({ now }) => typeof now === 'boolean',
  last: ({ parts, handled }) => isObject(parts) && isNumber(handled),
};

function isMessage<Message extends { readonly act: string }>(value: unknown, guards: Readonly<Record<Message['act'], (message: Fields) => boolean>>): value is Message {
  if (!isObject(value) || value['cmd'] !== UPGRADE) return false;
  const { act } = value;
  const isKnown = (name: unknown): name is Message['act'] => typeof name === 'string' && Object.hasOwn(guards, name);
  return isKnown(act) && guards[act](value);
}

/** Is it a message of a successor? */
export const isOfSuccessor = (value: unknown): value is SuccessorMessage => isMessage(value, ofSuccessor);

/** Is it a message of a predecessor? */
export const isOfPredecessor = (value: unknown): value is PredecessorMessage => isMessage(value, ofPredecessor);
