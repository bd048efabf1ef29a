/**
 * How much a primary takes from its workers and clients, and what happens beyond each limit. Programs set them
 * with `setupPrimary({ limits: { messageBytes: 1 << 20 } })`; a limit that is not given keeps its default.
 * New limits count for workers that are forked, and addresses that are opened, after the call.
 *
 * Infinity is allowed everywhere and stands for "no limit".
 * Used by  master/ (all of them), channel/ (those of a channel), upgrade/link.ts (the length of a message)
 * Node     has none of these limits (D32 to D36, D49)
 */
import { Number, NativeObject } from './builtins';
import { invalidArgValue } from './errors';
import { checkName } from './validate';

/** The limits of one channel. A worker sets none for its primary, which it trusts. */
export interface ChannelLimits {
  /** Bytes of the longest message, with its framing. A sender of a longer one is cut off. At least 64 KiB, the most that one read returns. */
  readonly messageBytes: number;
  /** Bytes that were sent and that the other end has not read. Beyond them `send` refuses a message with an error. */
  readonly unreadBytes: number;
}

/** The limits of a primary. */
export interface Limits extends ChannelLimits {
  /**
   * Connections of one address that the primary has accepted and no worker has got. Beyond them it stops accepting,
   * and new ones wait in the kernel's backlog.
   */
  readonly queuedConnections: number;
  /**
   * Fds that the primary does not use for accepted connections, of all that the process may open; at most a quarter
   * of these. Half of the reserved fds it does not use for new addresses either.
   */
  readonly reservedFds: number;
  /** Addresses at which one worker listens at a time. Beyond them its `listen` fails with EMFILE. */
  readonly listeningHandles: number;
}

/** `setupPrimary({ keepListening })`: how an address stays open after its last worker has died. */
export interface KeepListening {
  /** Connections that the primary accepts meanwhile. Later ones wait in the kernel's backlog. */
  readonly limit: number;
  /** Milliseconds after which the address and the waiting connections are closed, if no worker listens there again. */
  readonly deadlineMs: number;
}

/** For `keepListening: true`. By default a supervisor waits at most 10 s before it starts a worker again. */
const KEEP_LISTENING: KeepListening = { limit: 1024, deadlineMs: 10_000 };

/** The setting of a program with its defaults; null: an address is closed when its last worker dies. Throws ERR_INVALID_ARG_VALUE. */
export function keepListeningFrom(given: boolean | Partial<KeepListening> | undefined): KeepListening | null {
  if (given === undefined || given === false) return null;
  if (given === true) return KEEP_LISTENING;
  if (typeof given !== 'object' || given === null) throw invalidArgValue('options.keepListening', given, 'must be true, false or an object');
  return numbersFrom(given, KEEP_LISTENING, 'options.keepListening', {});
}

const MIB = 1 << 20;

/** The limits of a cluster that sets none. */
export const DEFAULT_LIMITS: Limits = {
  messageBytes: 128 * MIB,
  unreadBytes: 256 * MIB,
  queuedConnections: 4096,
  reservedFds: 32,
  // More than any server opens, and fewer than the fds that most systems give one process.
  listeningHandles: 1024,
};

/** For a channel without limits. */
export const NO_LIMITS: ChannelLimits = { messageBytes: Number.POSITIVE_INFINITY, unreadBytes: Number.POSITIVE_INFINITY };

/** Bytes. A channel measures a message after it has read, and one read returns up to 64 KiB. */
const LOWEST = { messageBytes: 65536 };

/** The given limits, and the defaults for the others. Throws ERR_INVALID_ARG_VALUE. */
export function limitsFrom<Known extends ChannelLimits>(given: Partial<Known> | undefined, defaults: Known): Known {
  if (given === undefined) return defaults;
  if (typeof given !== 'object' || given === null) throw invalidArgValue('options.limits', given, 'must be an object');
  return numbersFrom(given, defaults, 'options.limits', LOWEST);
}

function numbersFrom<Known extends object>(given: Partial<Known>, defaults: Known, where: string, lowest: Readonly<Record<string, number>>): Known {
  const numbers = { ...defaults };
  for (const [name, value] of NativeObject.entries(given) as [keyof Known & string, unknown][]) {
    if (value === undefined) continue;
    checkName(where, name, NativeObject.keys(defaults));
    const least = lowest[name] ?? 0;
    if (typeof value !== 'number' || !(value >= least)) throw invalidArgValue(`${where}.${name}`, value, `must be a number >= ${least}`);
    numbers[name] = value as Known[typeof name];
  }
  return numbers;
}
