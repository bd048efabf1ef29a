/**
 * What a primary bears of its workers and of its clients, and how long it waits for workers: every
 * bound by its name, its default and what happens beyond it. `setupPrimary({ limits: { messageBytes: 1 << 20 } })` sets some for the
 * workers forked and the addresses listened at from then on; the others keep their defaults.
 *
 * Imports  errors.ts only; Infinity is a limit too: none
 * Used by  master/ (all of them), channel/ (the two of a channel)
 * Node     has none of them (D32 to D36, D49)
 */
import { Number, NativeObject } from './builtins';
import { invalidArgValue } from './errors';

/** What one channel bears. Without a limit: a worker trusts its primary. */
export interface ChannelLimits {
  /** The longest message, its framing included; who sends a longer one is cut off. At least 64 KiB, the length of a read. */
  readonly messageBytes: number;
  /** Unread bytes on the way to the other end; beyond them a message is refused: `send` gives an error. */
  readonly unreadBytes: number;
}

/** What a primary bears. */
export interface Limits extends ChannelLimits {
  /** Connections of one address accepted and not handed to a worker; beyond them it accepts no more, and the kernel's backlog holds them. */
  readonly queuedConnections: number;
  /** So many of the last fds that the process may have, a quarter at most, are not used for accepted connections; half of these not for listening either. */
  readonly reservedFds: number;
  /** Addresses at which one worker listens at a time; beyond them its `listen` ends in EMFILE. */
  readonly listeningHandles: number;
}

/** How an address outlives its last worker, when that one has died: `setupPrimary({ keepListening })`. */
export interface KeepListening {
  /** Connections that may wait meanwhile; beyond them the kernel's backlog holds what comes. */
  readonly limit: number;
  /** Milliseconds after which the address is closed if no worker has come, and what waits with it. */
  readonly deadlineMs: number;
}

/** `keepListening: true`. */
const KEEP_LISTENING: KeepListening = { limit: 1024, deadlineMs: 10_000 };

/** What a program asks for; null if an address goes with its last worker. Throws ERR_INVALID_ARG_VALUE. */
export function keepListeningFrom(given: boolean | Partial<KeepListening> | undefined): KeepListening | null {
  if (given === undefined || given === false) return null;
  if (given === true) return KEEP_LISTENING;
  if (typeof given !== 'object' || given === null) throw invalidArgValue('options.keepListening', given);
  return numbersFrom(given, KEEP_LISTENING, 'options.keepListening', {});
}

const MIB = 1 << 20;

/** The limits of a cluster that names none. */
export const DEFAULT_LIMITS: Limits = {
  messageBytes: 128 * MIB,
  unreadBytes: 256 * MIB,
  queuedConnections: 4096,
  reservedFds: 32,
  // Far more than a server has, far fewer than the fds of a primary in most systems.
  listeningHandles: 1024,
};

/** The limits of a channel that has none. */
export const NO_LIMITS: ChannelLimits = { messageBytes: Number.POSITIVE_INFINITY, unreadBytes: Number.POSITIVE_INFINITY };

/** A message may fill one read before it is measured. */
const LOWEST = { messageBytes: 65536 };

/** These limits, and the defaults for the others. Throws ERR_INVALID_ARG_VALUE for a limit that is none. */
export function limitsFrom<Known extends ChannelLimits>(given: Partial<Known> | undefined, defaults: Known): Known {
  if (given === undefined) return defaults;
  if (typeof given !== 'object' || given === null) throw invalidArgValue('options.limits', given);
  return numbersFrom(given, defaults, 'options.limits', LOWEST);
}

function numbersFrom<Known extends object>(given: Partial<Known>, defaults: Known, where: string, lowest: Readonly<Record<string, number>>): Known {
  const numbers = { ...defaults };
  for (const [name, value] of NativeObject.entries(given) as [keyof Known & string, unknown][]) {
    if (value === undefined) continue;
    const least = lowest[name] ?? 0;
    if (!NativeObject.hasOwn(defaults, name) || typeof value !== 'number' || !(value >= least)) throw invalidArgValue(`${where}.${name}`, value);
    numbers[name] = value as Known[typeof name];
  }
  return numbers;
}
