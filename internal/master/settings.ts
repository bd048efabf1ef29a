/**
 * The settings with which a primary starts its workers: those of `setupPrimary`, the scheduling policy,
 * and the inspector's ports.
 *
 * Used by  index.ts, listen_table.ts
 * Node     https://nodejs.org/api/cluster.html#clustersettings
 */
import { Array, NativeObject, Number, String } from '../builtins';
import { describe, invalidArgValue, nodeError } from '../errors';
import { isObject } from '../is_object';
import type { Dialect } from '../channel/channel_types';
import type { ChannelForkOptions } from '../channel/spawn';
import { DEFAULT_LIMITS, keepListeningFrom, limitsFrom, type KeepListening, type Limits } from '../limits';
import type { AllowListen } from './listen_policy';
import { HIGHEST_PORT, checkBoolean, checkOneOf, isPort } from '../validate';
import { rebalanceFrom, type Rebalance } from './rebalancing';
import { SCHEDULING_NAMES, isScheduling, type Scheduling } from './scheduling';

/** Each worker accepts by itself: the kernel decides who gets a connection. */
export const SCHED_NONE = 1;
/** The primary accepts, and hands connections to the workers in turn. */
export const SCHED_RR = 2;

/** https://nodejs.org/api/cluster.html#clustersettings; `dialect` is ours: 'node' starts stock workers (D17). */
export interface ClusterSettings extends Omit<ChannelForkOptions, 'name' | 'env' | 'limits'> {
  exec?: string | undefined;
  args?: string[] | undefined;
  inspectPort?: number | (() => number) | undefined;
  /** As `cluster.schedulingPolicy`, which an ES module cannot assign to by its name. In the first call only (D53). */
  schedulingPolicy?: number | undefined;
  /** Which worker gets the next connection under SCHED_RR. For addresses that open after this call (D30). */
  scheduling?: Scheduling | undefined;
  /** The weight of workers that are forked after this call: a number above 0, 1 by default (D30). */
  weight?: number | undefined;
  /**
   * Do connections move from workers that have more than their share to others, for workers that are forked after this call
   * (D59)? Off by default. An object sets the most moves per second of one address: 500 by default.
   */
  rebalance?: boolean | Partial<Rebalance> | undefined;
  /** Bounds for workers and clients that come after this call (limits.ts). */
  limits?: Partial<Limits> | undefined;
  /** May this worker listen there? Called at each `listen` of a worker (D50). */
  allowListen?: AllowListen | undefined;
  /** fds of sockets of the primary on which workers may listen, besides those that it was started with (D47). */
  allowedFds?: readonly number[] | undefined;
  /**
   * Does a worker that listens at the address of a socket that systemd has passed (LISTEN_FDS) get that socket (D62)? Off by
   * default. From the first worker on that is forked with it, for all workers; they do not get the variables of systemd.
   */
  inheritedSockets?: boolean | undefined;
  /** An address stays open for the next worker when its last worker has died (D36). */
  keepListening?: boolean | Partial<KeepListening> | undefined;
}

/** Valid values of `dialect`. */
const DIALECTS: readonly Dialect[] = ['pipelined', 'node'];

/** The settings after one more call of setupPrimary: a new object each time. Throws a TypeError if execArgv is missing, ERR_INVALID_ARG_VALUE for an invalid value of a setting of ours. */
export function mergeSettings(current: ClusterSettings, given: ClusterSettings | undefined): ClusterSettings {
  const settings: ClusterSettings = {
    args: process.argv.slice(2),
    exec: process.argv[1],
    execArgv: process.execArgv,
    silent: false,
    ...current,
    ...given,
  };
  const { schedulingPolicy, scheduling, weight, allowListen, allowedFds, limits, keepListening, dialect, rebalance, inheritedSockets } = ownSettings(settings);
  if (schedulingPolicy !== undefined && !isPolicy(schedulingPolicy)) {
    throw invalidArgValue('options.schedulingPolicy', schedulingPolicy, `must be SCHED_NONE (${SCHED_NONE}) or SCHED_RR (${SCHED_RR})`);
  }
  if (dialect !== undefined) checkOneOf('options.dialect', dialect, DIALECTS);
  if (scheduling !== undefined && !isScheduling(scheduling)) checkOneOf('options.scheduling', scheduling, SCHEDULING_NAMES, 'a function or ');
  if (weight !== undefined && !(typeof weight === 'number' && weight > 0 && weight < Infinity)) {
    throw invalidArgValue('options.weight', weight, 'must be a number > 0 && < Infinity');
  }
  if (allowListen !== undefined && typeof allowListen !== 'function') throw invalidArgValue('options.allowListen', allowListen, 'must be a function');
  if (allowedFds !== undefined && !(Array.isArray(allowedFds) && allowedFds.every((fd) => Number.isInteger(fd) && fd >= 0))) {
    throw invalidArgValue('options.allowedFds', allowedFds, 'must be an array of fds, whole numbers >= 0');
  }
  if (inheritedSockets !== undefined) checkBoolean('options.inheritedSockets', inheritedSockets);
  limitsFrom(limits, DEFAULT_LIMITS);
  keepListeningFrom(keepListening);
  rebalanceFrom(rebalance);
  const flags = settings.execArgv as string[];
  // Without a file name of its own each worker's profile would overwrite the others'.
  if (flags.some((flag) => flag.startsWith('--prof')) && !flags.some((flag) => flag.startsWith('--logfile='))) {
    settings.execArgv = [...flags, '--logfile=v8-%p.log'];
  }
  return settings;
}

/**
 * Only the own properties of the settings: a property of Object.prototype is not a setting (D45). An object
 * with another prototype, which a program may assign to `cluster.settings`, is read as it is.
 */
export function ownSettings(settings: ClusterSettings): ClusterSettings {
  return Object.getPrototypeOf(settings) === Object.prototype ? { __proto__: null, ...settings } as ClusterSettings : settings;
}

/** The policy of the environment, which holds until the program sets one. */
export function initialPolicy(): number {
  switch (process.env['NODE_CLUSTER_SCHED_POLICY']) {
    case 'rr': return SCHED_RR;
    case 'none': return SCHED_NONE;
    default: return process.platform === 'win32' ? SCHED_NONE : SCHED_RR;
  }
}

const isPolicy = (value: unknown): value is number => value === SCHED_NONE || value === SCHED_RR;

/** Throws ERR_INTERNAL_ASSERTION for an unknown scheduling policy. */
export function checkPolicy(policy: unknown): void {
  if (isPolicy(policy)) return;
  throw nodeError(Error, 'ERR_INTERNAL_ASSERTION', `Bad cluster.schedulingPolicy: ${String(policy)}`);
}

/**
 * The policy that this call of `setupPrimary` gives; null if it gives none. `settings` are those after the call, from which
 * a getter in `options` is not read again. Throws ERR_INVALID_STATE if another policy is `fixed` already.
 */
export function policyOf(options: ClusterSettings | undefined, settings: ClusterSettings, fixed: number | null): number | null {
  const policy = isGiven(options, 'schedulingPolicy') ? ownSettings(settings).schedulingPolicy ?? null : null;
  if (policy === null || fixed === null || policy === fixed) return policy;
  throw nodeError(Error, 'ERR_INVALID_STATE', `Invalid state: the first fork() or setupPrimary() has fixed the scheduling policy as ${fixed === SCHED_RR ? 'SCHED_RR' : 'SCHED_NONE'}`);
}

/** Has this call of `setupPrimary` such a setting of its own? */
export function isGiven(options: ClusterSettings | undefined, name: keyof ClusterSettings): boolean {
  return options !== undefined && options !== null && NativeObject.hasOwn(options, name);
}

/**
 * The settings in what a program passes to `fork` after `env`; null if there are none. Node ignores that argument, so a
 * program may pass anything: `all.map(cluster.fork)` passes an index and an array, `set.forEach(cluster.fork)` the same
 * object again and the set.
 */
export function forkSettings(rest: readonly unknown[]): ClusterSettings | null {
  const settings = rest[0];
  return rest.length === 1 && isObject(settings) ? settings : null;
}

/** Any flag of the inspector, also one that only sets its port. */
const INSPECT = /--inspect|--debug-port/;
const LOWEST_PORT = 1024;

/** The inspector ports that this primary has given to its workers. */
export class InspectPorts {
  #given = 0;

  /** The flags of the next worker: with its own inspector port, if workers are to be inspected. Throws ERR_SOCKET_BAD_PORT. */
  flagsFor({ execArgv = [], inspectPort }: ClusterSettings): readonly string[] {
    if (inspectPort === null) throw badPort(inspectPort);
    const inspected = execArgv.some((flag) => INSPECT.test(flag)) || INSPECT.test(process.env['NODE_OPTIONS'] ?? '');
    if (!inspected) return execArgv;
    const port = typeof inspectPort === 'function' ? inspectPort() : inspectPort ?? this.#next();
    if (!namesPort(port)) throw badPort(port);
    return [...execArgv, `--inspect-port=${port}`];
  }

  #next(): number {
    const port = process.debugPort + ++this.#given;
    return port > HIGHEST_PORT ? port - HIGHEST_PORT + LOWEST_PORT - 1 : port;
  }
}

/** A whole number from 0 to 65535, or its text. */
function namesPort(port: unknown): boolean {
  return typeof port === 'string' ? port.trim() !== '' && isPort(Number(port)) : isPort(port);
}

function badPort(port: unknown): Error {
  return nodeError(RangeError, 'ERR_SOCKET_BAD_PORT', `Port should be >= 0 and < 65536. Received ${describe(port)}.`);
}
