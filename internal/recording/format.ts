/**
 * The form of a recording: one header line, then one line of JSON for each event, in order of `at`. read.ts reads it,
 * merge.ts writes it, the exports and the page use it. Guards check what comes from a file; every text in it may be
 * hostile.
 *
 * Used by  read.ts, merge.ts, interpreter.ts, connections.ts, messages.ts, processes.ts, sources.ts, exports/
 */
import { isObject, type Fields } from '../is_object';

/** The value of `format` in the header of a recording. */
export const FORMAT = 'cluster-internals-recording';
/** The version of this form. A recording of another version is refused. */
export const VERSION = 1;

/** One process of the recorded program. */
export interface RecordedProcess {
  readonly pid: number;
  /** Unique: `P` (the primary), `W1` (its worker 1), `X123` (any other process), `P2`, `P2/W1`. */
  readonly name: string;
  readonly role: 'primary' | 'worker' | 'other';
  readonly worker: number | null;
  readonly parent: number | null;
  readonly parentName: string | null;
  /** Nanoseconds since the start of the recording. */
  readonly started: number;
  readonly ended: number | null;
  readonly code: number | null;
  readonly signal: string | null;
  /** False: it has no part file, so only what its parent saw is known. */
  readonly recorded: boolean;
  /** Events that the ring has dropped, or that were cut off. */
  readonly missing: number;
}

/** The first line. */
export interface RecordingHeader {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  /** Which copy of the project has recorded: lines of our sources are those of that copy. Absent in recordings before 2026-11-28. */
  readonly release?: string;
  readonly node: string;
  readonly platform: string;
  /** Was the program run with Node's own cluster (`record --stock`)? */
  readonly stock: boolean;
  /** The wall clock at `at` 0, as an ISO date. */
  readonly started: string;
  readonly program: readonly string[];
  readonly cwd: string;
  readonly payloads: boolean;
  readonly limit: number;
  /** Nanoseconds: the `at` of the last event. */
  readonly duration: number;
  readonly events: number;
  readonly processes: readonly RecordedProcess[];
  readonly connectionIds: string;
  /** What this recording cannot show. */
  readonly cannotShow: readonly string[];
  /** Processes whose recording ended before they did, each with the reason. */
  readonly cutOff: readonly string[];
}

/** A line of our own sources. */
export interface Source {
  readonly file: string;
  readonly line: number;
}

interface Common {
  /** Nanoseconds since the start. CLOCK_MONOTONIC: comparable over all processes of the machine. */
  readonly at: number;
  readonly pid: number;
  readonly name: string;
  readonly role: RecordedProcess['role'];
  readonly worker: number | null;
  /** Counts the events of this process from 0. A derived event has the number of the event that it was derived from. */
  readonly seq: number;
  readonly source?: Source;
  /** Not seen, but known from other events. */
  readonly derived?: true;
}

/** A process began, forked another one, or ended. */
export interface ProcessEvent extends Common {
  readonly kind: 'process';
  readonly event: 'start' | 'fork' | 'child exit' | 'exit' | 'cut off';
  readonly parent?: number;
  readonly node?: string;
  readonly argv?: readonly string[];
  readonly child?: number;
  readonly childName?: string;
  readonly childWorker?: number | null;
  readonly code?: number | null;
  readonly signal?: string | null;
  readonly seenBy?: 'itself' | 'parent';
  readonly reason?: string;
}

/** A message on a channel: one event of its sender, one of its receiver, with the same `id`. */
export interface MessageEvent extends Common {
  readonly kind: 'message';
  readonly way: 'sent' | 'received';
  /** `P>W1#5`: the same for the sender and the receiver. */
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly dialect: 'pipelined' | 'node';
  readonly act: string;
  readonly app: boolean;
  readonly fields: Fields | null;
  readonly redacted?: readonly string[];
  /** The message inside a NODE_HANDLE. */
  readonly carries?: { readonly act: string; readonly fields: Fields | null };
  readonly bytes: number | null;
  readonly encoding: 'json' | 'advanced';
  readonly tag: '' | 'H' | 'E';
  readonly wire?: string;
  readonly fd?: number;
  readonly connection?: string;
  readonly connections?: readonly string[];
  readonly sentAt?: number;
}

/** What happened to a connection: its id stays the same in all processes. */
export interface ConnectionEvent extends Common {
  readonly kind: 'connection';
  readonly event: string;
  readonly connection: string;
  readonly address: string | null;
  readonly fd: number;
  readonly to?: string;
  readonly queue?: number;
  readonly inFlight?: number;
  readonly client?: string;
  readonly by?: 'client' | 'worker' | 'primary' | 'error' | 'process ended';
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
}

/** Something changed its state: a worker, an address, a channel. */
export interface StateEvent extends Common {
  readonly kind: 'state';
  readonly of: 'worker' | 'address' | 'acceptor' | 'channel' | 'query';
  readonly what: string;
  readonly from: string;
  readonly to: string;
  /** Why a worker under `scheduling: 'shared'` pauses, or accepts again (child/accept_pause.ts). */
  readonly why?: string;
}

/** How busy the event loop of a process was since the last such event. */
export interface LoopEvent extends Common {
  readonly kind: 'loop';
  readonly busy: number;
  readonly delay: number;
}

/**
 * How many connections wait in the kernel at a socket that listens, accepted by nobody yet: a change since the last sample
 * (kernel_queue.ts). The `name` of such an event is `kernel`, its `pid` 0.
 */
export interface KernelEvent extends Common {
  readonly kind: 'kernel';
  /** `127.0.0.1:8000` */
  readonly address: string;
  /** The inode of the socket: two sockets can have one address (SO_REUSEPORT). */
  readonly socket: number;
  readonly waiting: number;
}

/** Here something is missing, and why. */
export interface GapEvent extends Common {
  readonly kind: 'gap';
  readonly missing: number | null;
  readonly why: 'ring' | 'cut off' | 'file cut off';
}

/** Every event of a recording. */
export type RecordedEvent = ProcessEvent | MessageEvent | ConnectionEvent | StateEvent | LoopEvent | KernelEvent | GapEvent;

/** An event as it is made, before the process and the time are added. */
export type Made<Event extends RecordedEvent> = Omit<Event, 'at' | 'pid' | 'name' | 'role' | 'worker' | 'seq' | 'source'> & { readonly source?: Source | undefined };

/** The fields that are always text. */
const STATE_TEXTS = ['of', 'what', 'to', 'from'];
const MESSAGE_TEXTS = ['way', 'id', 'to', 'dialect', 'act', 'encoding', 'tag', 'from'];

const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const optional = (value: unknown, is: (value: unknown) => boolean): boolean => value === undefined || is(value);

/** Does this claim to be the header of a recording, of any version? */
export const isAnyHeader = (value: unknown): value is { readonly version: unknown } => isObject(value) && value['format'] === FORMAT;

/** Is this a header of this version? */
export function isHeader(value: unknown): value is RecordingHeader {
  return isObject(value) && value['format'] === FORMAT && value['version'] === VERSION && ['node', 'platform', 'started', 'cwd', 'connectionIds'].every((name) => isText(value[name])) && optional(value['release'], isText)
    && ['limit', 'duration', 'events'].every((name) => isNumber(value[name])) && ['stock', 'payloads'].every((name) => typeof value[name] === 'boolean')
    && ['program', 'cannotShow', 'cutOff'].every((name) => areTexts(value[name])) && Array.isArray(value['processes']) && value['processes'].every(isProcess);
}

function isProcess(value: unknown): value is RecordedProcess {
  return isObject(value) && isNumber(value['pid']) && isText(value['name']) && isText(value['role']) && isNumber(value['started']) && isNumber(value['missing']);
}

/** Is this an event that this version knows? */
export function isEvent(value: unknown): value is RecordedEvent {
  if (!isObject(value) || !isNumber(value['at']) || !isNumber(value['pid']) || !isText(value['name']) || !isText(value['role']) || !isNumber(value['seq'])) return false;
  if (!optional(value['source'], isSource)) return false;
  switch (value['kind']) {
    case 'process': return isText(value['event']) && optional(value['child'], isNumber) && optional(value['childName'], isText);
    case 'message': return isMessage(value);
    case 'connection': return isText(value['event']) && isText(value['connection']) && isNumber(value['fd']) && optional(value['queue'], isNumber)
      && optional(value['inFlight'], isNumber) && ['to', 'client', 'by'].every((name) => optional(value[name], isText));
    case 'state': return STATE_TEXTS.every((name) => isText(value[name])) && optional(value['why'], isText);
    case 'loop': return isNumber(value['busy']) && isNumber(value['delay']);
    case 'kernel': return isText(value['address']) && isNumber(value['socket']) && isNumber(value['waiting']);
    case 'gap': return isText(value['why']);
    default: return false;
  }
}

const isSource = (value: unknown): boolean => isObject(value) && isText(value['file']) && isNumber(value['line']);

function isMessage(value: Fields): boolean {
  return MESSAGE_TEXTS.every((name) => isText(value[name])) && (value['fields'] === null || isObject(value['fields']))
    && (value['bytes'] === null || isNumber(value['bytes'])) && optional(value['fd'], isNumber) && optional(value['wire'], isText) && optional(value['connection'], isText)
    && optional(value['connections'], areTexts) && optional(value['redacted'], areTexts) && optional(value['sentAt'], isNumber)
    && optional(value['carries'], (carries) => isObject(carries) && isText(carries['act']));
}
