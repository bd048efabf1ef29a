/**
 * What a supervisor and its part in a worker say to each other, and the guards through which it comes
 * in. Imports types alone.
 *
 * On the wire each message is `{ cmd: 'NODE_CLUSTER_SUPERVISOR', ...body }`. The prefix NODE_ makes it
 * an 'internalMessage' on our channel and on Node's own: no 'message' listener of the app sees it,
 * in the worker or in the primary.
 *
 * Wire     P → W ping               W → P pong
 *          P → W serve              (a canary, when it is proven)
 *          P → W leave              W → P out, finishing, drained, in this order
 *          W → P suicide            P → W noted, at once; leave, when a successor is ready
 *                                   W → P last words, when an uncaught error ends the process
 */

import type { HttpCheck } from './readiness';

/** The `cmd` of every message of a supervisor's. */
export const SUPERVISOR = 'NODE_CLUSTER_SUPERVISOR';

/** In the environment of a supervised worker, until its part has read it: a `Setup`, as JSON. */
export const SETUP = 'CLUSTER_INTERNALS_SUPERVISED';

/** What a worker has to know from its start. */
export interface Setup {
  /** It is a canary: it takes no connections before the order 'serve'. */
  readonly trial: boolean;
  /** How long idle connections may ask once more, should the worker have to leave by itself. */
  readonly graceMs: number;
  /** And how long all of that may take. */
  readonly leaveMs: number;
  /** How long it waits for a successor that it has asked for. */
  readonly patienceMs: number;
  /** How it finds out that its app is ready; null: by nothing of its own. */
  readonly check: HttpCheck | null;
}

/** Primary → worker. */
export type Order =
  /** Are you there? */
  | { readonly act: 'ping'; readonly seq: number }
  /** You are on trial no more: take connections. */
  | { readonly act: 'serve' }
  /** That you want a successor is known here. */
  | { readonly act: 'noted' }
  /**
   * Go on for `delayMs`, then leave the rotation, then finish. Counted from the end of the delay: at `endMs`
   * the worker should end by itself if it has something to do then; after `timeoutMs` it is killed.
   */
  | { readonly act: 'leave'; readonly delayMs: number; readonly graceMs: number; readonly endMs: number; readonly timeoutMs: number };

/** Worker → primary. */
export type Word =
  /** Answers a ping. */
  | { readonly act: 'pong'; readonly seq: number; readonly rss: number; readonly requests: number; readonly inspected: boolean }
  /** Where it listens now through its cluster: all of it. */
  | { readonly act: 'listens'; readonly at: readonly string[] }
  /** The HTTP check: what is wrong, empty for nothing. */
  | { readonly act: 'checked'; readonly complaint: string }
  /** No new connections come here any more. */
  | { readonly act: 'out' }
  /** Idle connections are closed; `left` others go on. */
  | { readonly act: 'finishing'; readonly left: number }
  /** No connection is left. */
  | { readonly act: 'drained' }
  /** This worker must end, and wants a successor first. */
  | { readonly act: 'suicide'; readonly reason: string }
  /** This uncaught error ends this worker. No reply; if it is lost, 'giveup' does not say why. */
  | { readonly act: 'last words'; readonly text: string };

type Fields = Record<string, unknown>;

const isSupervisors = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && (value as Fields)['cmd'] === SUPERVISOR;

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;

function isCheck(value: unknown): value is HttpCheck {
  if (typeof value !== 'object' || value === null) return false;
  const { path, port, intervalMs, timeoutMs } = value as Fields;
  return typeof path === 'string' && (port === null || isNumber(port)) && isNumber(intervalMs) && isNumber(timeoutMs);
}

/** The most addresses that a worker tells, and the longest. */
export const MOST_ADDRESSES = 1_000;
const LONGEST_ADDRESS = 300;

const isAddresses = (value: unknown): boolean =>
  Array.isArray(value) && value.length <= MOST_ADDRESSES && value.every((one) => typeof one === 'string' && one.length <= LONGEST_ADDRESS);

const leaveTimes = ['delayMs', 'graceMs', 'endMs', 'timeoutMs'] as const;

/** Reads what the environment says; null if it does not come from a supervisor. */
export function readSetup(text: string | undefined): Setup | null {
  if (text === undefined) return null;
  let setup: unknown;
  try {
    setup = JSON.parse(text);
  } catch {
    return null; // Somebody else's variable.
  }
  if (typeof setup !== 'object' || setup === null) return null;
  const { trial, graceMs, leaveMs, patienceMs, check } = setup as Fields;
  if (typeof trial !== 'boolean' || !isNumber(graceMs) || !isNumber(leaveMs) || !isNumber(patienceMs)) return null;
  return { trial, graceMs, leaveMs, patienceMs, check: isCheck(check) ? check : null };
}

/** Reads what came from the primary; null for anything that is no order. */
export function readOrder(value: unknown): Order | null {
  if (!isSupervisors(value)) return null;
  switch (value['act']) {
    case 'ping': return isNumber(value['seq']) ? value as unknown as Order : null;
    case 'serve': case 'noted': return value as unknown as Order;
    case 'leave': return leaveTimes.every((name) => isNumber(value[name])) ? value as unknown as Order : null;
    default: return null;
  }
}

/** Reads what came from a worker; null for anything that is no word of its supervisor's part. */
export function readWord(value: unknown): Word | null {
  if (!isSupervisors(value)) return null;
  switch (value['act']) {
    case 'pong': return isNumber(value['seq']) && isNumber(value['rss']) && isNumber(value['requests'])
      && typeof value['inspected'] === 'boolean' ? value as unknown as Word : null;
    case 'finishing': return isNumber(value['left']) ? value as unknown as Word : null;
    case 'listens': return isAddresses(value['at']) ? value as unknown as Word : null;
    case 'checked': return typeof value['complaint'] === 'string' ? value as unknown as Word : null;
    case 'out': case 'drained': return value as unknown as Word;
    case 'last words': return typeof value['text'] === 'string' ? value as unknown as Word : null;
    case 'suicide': return typeof value['reason'] === 'string' ? value as unknown as Word : null;
    default: return null;
  }
}

/** What a worker's cluster tells its primary, as far as a supervisor wants to know it. */
export type News = { readonly act: 'online' } | { readonly act: 'listening'; readonly address: string; readonly port: number };

/** Reads a message of the cluster's own; null for any other. See `Online` and `Listening` in internal/messages.ts. */
export function readNews(value: unknown): News | null {
  if (typeof value !== 'object' || value === null || (value as Fields)['cmd'] !== 'NODE_CLUSTER') return null;
  const { act, address, port } = value as Fields;
  if (act === 'online') return { act };
  if (act !== 'listening') return null;
  return { act, address: typeof address === 'string' ? address : '', port: typeof port === 'number' ? port : 0 };
}
