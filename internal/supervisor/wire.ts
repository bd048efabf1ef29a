/**
 * What a supervisor and its part in a worker say to each other, and the guards through which it comes
 * in. Imports nothing.
 *
 * On the wire each message is `{ cmd: 'NODE_CLUSTER_SUPERVISOR', ...body }`. The prefix NODE_ makes it
 * an 'internalMessage' on our channel and on Node's own: no 'message' listener of the app sees it,
 * in the worker or in the primary.
 *
 * Wire     P → W ping               W → P pong
 *          P → W serve              (a canary, when it is proven)
 *          P → W leave              W → P out, finishing, drained, in this order
 *                                   W → P suicide, at any time; the primary answers with leave when
 *                                         a successor is ready
 */

/** The `cmd` of every message of a supervisor's. */
export const SUPERVISOR = 'NODE_CLUSTER_SUPERVISOR';

/** In the environment of a worker that is to be tried before it gets connections. */
export const TRIAL = 'CLUSTER_INTERNALS_TRIAL';

/** Primary → worker. */
export type Order =
  /** Are you there? */
  | { readonly act: 'ping'; readonly seq: number }
  /** You are on trial no more: take connections. */
  | { readonly act: 'serve' }
  /** Leave the rotation, then finish. After `timeoutMs` the worker ends itself, should nobody else. */
  | { readonly act: 'leave'; readonly graceMs: number; readonly timeoutMs: number };

/** Worker → primary. */
export type Word =
  /** Answers a ping. */
  | { readonly act: 'pong'; readonly seq: number; readonly rss: number; readonly requests: number }
  /** No new connections come here any more. */
  | { readonly act: 'out' }
  /** Idle connections are closed; `left` others go on. */
  | { readonly act: 'finishing'; readonly left: number }
  /** No connection is left. */
  | { readonly act: 'drained' }
  /** This worker must end, and wants a successor first. */
  | { readonly act: 'suicide'; readonly reason: string };

type Fields = Record<string, unknown>;

const isSupervisors = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && (value as Fields)['cmd'] === SUPERVISOR;

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;

/** Reads what came from the primary; null for anything that is no order. */
export function readOrder(value: unknown): Order | null {
  if (!isSupervisors(value)) return null;
  switch (value['act']) {
    case 'ping': return isNumber(value['seq']) ? value as unknown as Order : null;
    case 'serve': return value as unknown as Order;
    case 'leave': return isNumber(value['graceMs']) && isNumber(value['timeoutMs']) ? value as unknown as Order : null;
    default: return null;
  }
}

/** Reads what came from a worker; null for anything that is no word of its supervisor's part. */
export function readWord(value: unknown): Word | null {
  if (!isSupervisors(value)) return null;
  switch (value['act']) {
    case 'pong': return isNumber(value['seq']) && isNumber(value['rss']) && isNumber(value['requests']) ? value as unknown as Word : null;
    case 'finishing': return isNumber(value['left']) ? value as unknown as Word : null;
    case 'out': case 'drained': return value as unknown as Word;
    case 'suicide': return typeof value['reason'] === 'string' ? value as unknown as Word : null;
    default: return null;
  }
}
