/**
 * Tracing: each cluster message, each frame of a channel, each handle that changes its owner and each change of state is
 * published on `node:diagnostics_channel`. Everything else in internal/ calls these functions and never prints. There are
 * three subscribers: a printer in this file, with `NODE_DEBUG=cluster-internals`; the recorder (recording/recorder.ts); and
 * tests.
 *
 * Costs    one property read per event if nobody has subscribed
 * Never    keeps a handle or a message after the call. Never shows the `data` of a query or of its reply in a message:
 *          these are the ticket keys of a TLS server, and a reader of the log could decrypt its sessions. A frame is
 *          published as it is: its subscriber hides what must not be seen
 */
import diagnostics from 'node:diagnostics_channel';
import { debuglog, inspect } from 'node:util';
import { NativeObject, String } from './builtins';

/** Published on `cluster-internals:message`: a cluster message that this process has sent or received. */
export interface MessageTrace {
  /** The sender: `P` for the primary, `W1` for worker 1. */
  from: string;
  /** The receiver, likewise. */
  to: string;
  /** Is this process the sender or the receiver? */
  way: 'sent' | 'received';
  /** As on the wire, except that `data` is replaced by `'[redacted]'`. */
  message: Readonly<Record<string, unknown>>;
  /** The fd of the handle that was sent with the message; -1 if the handle has no fd. Absent if no handle was sent. */
  fd?: number;
}

/** Published on `cluster-internals:handle`: what has happened to a handle in this process. */
export interface HandleTrace {
  event: 'adopted' | 'released' | 'queued' | 'handed off' | 'given up' | 'delivered' | 'rejected' | 'unsent' | 'reclaimed' | 'closed'
    | 'returned' | 'moved';
  /** The channel's name, or the key of the address. */
  where: string;
  /** -1 if the handle has no fd. */
  fd: number;
}

/** Published on `cluster-internals:state`: a state machine has changed its state. */
export interface StateTrace {
  /** Whose state: a worker (`W1`) or the key of an address. */
  what: string;
  from: string;
  to: string;
  /** The reason, where one state can follow another for several reasons. */
  why?: string;
}

/**
 * Published on `cluster-internals:frame`: one frame of a channel of ours, in the order of the wire. The n-th frame that
 * one end sends is the n-th that the other end receives, so a reader can join both. It holds whatever the app sends.
 */
export type FrameTrace = SentFrame | ReceivedFrame;

interface AnyFrame {
  /** The name of this end: `P to W1` in the primary, `W1` in the worker. */
  channel: string;
  dialect: 'node' | 'pipelined';
  /** The fd that goes with it, in this process; -1 if the handle has no fd. Absent if there is no handle. */
  fd?: number;
}

/** A frame that this end sends. */
export interface SentFrame extends AnyFrame {
  way: 'sent';
  /** Its bytes on the wire (borrowed), or their text. */
  frame: string | Uint8Array;
}

/** A frame that this end has received, decoded. */
export interface ReceivedFrame extends AnyFrame {
  way: 'received';
  message: unknown;
  /** The kind of its tag (channel/codec.ts). */
  tag: 'plain' | 'handle' | 'envelope';
}

const frames = diagnostics.channel('cluster-internals:frame');
const messages = diagnostics.channel('cluster-internals:message');
const handles = diagnostics.channel('cluster-internals:handle');
const states = diagnostics.channel('cluster-internals:state');

/** Has anybody subscribed to messages? For callers that would make an object only for the trace. */
export const messagesAreTraced = (): boolean => messages.hasSubscribers;

/** Publishes a message. Of `handle` only the fd is read. */
export function traceMessage(
  way: 'sent' | 'received', from: string, to: string, message: object, handle?: { fd?: number } | null,
): void {
  if (!messages.hasSubscribers) return;
  const trace: MessageTrace = { from, to, way, message: redacted(message as MessageTrace['message']) };
  if (handle) trace.fd = handle.fd ?? -1;
  messages.publish(trace);
}

/** The message; if it has `data`, a copy in which this is hidden. */
function redacted(message: MessageTrace['message']): MessageTrace['message'] {
  return message['data'] === undefined || message['data'] === null ? message : { ...message, data: '[redacted]' };
}

/** Has anybody subscribed to frames? */
export const framesAreTraced = (): boolean => frames.hasSubscribers;

/** Publishes a frame. Callers ask `framesAreTraced` first. */
export const traceFrame = (frame: FrameTrace): void => frames.publish(frame);

/** Publishes what has happened to a handle. Of `handle` only the fd is read. */
export function traceHandle(event: HandleTrace['event'], where: string, handle: { fd?: number } | null): void {
  if (!handles.hasSubscribers) return;
  handles.publish({ event, where, fd: handle?.fd ?? -1 } satisfies HandleTrace);
}

/** Publishes a change of state: of which state machine, from which state, to which, and why, if it does not follow from the two. */
export function traceState(what: string, from: string, to: string, why?: string): void {
  if (!states.hasSubscribers) return;
  states.publish({ what, from, to, ...(why === undefined ? {} : { why }) } satisfies StateTrace);
}

const print = debuglog('cluster-internals');
if (print.enabled) {
  diagnostics.subscribe('cluster-internals:message', (event) => {
    const { from, to, way, message, fd } = event as MessageTrace;
    const { act, ack, cmd: _cmd, ...fields } = message;
    const name = act ?? (ack === undefined ? 'message' : `reply to ${String(ack)}`);
    const shown = NativeObject.entries(fields).map(([key, value]) => `${key}=${inspect(value, { breakLength: Infinity })}`);
    if (fd !== undefined) shown.push(`fd=${fd}`);
    print('%s → %s %s %s%s', from, to, name, shown.join(' '), way === 'received' ? ' (received)' : '');
  });
  diagnostics.subscribe('cluster-internals:handle', (event) => {
    const { event: what, where, fd } = event as HandleTrace;
    print('%s %s fd=%d', where, what, fd);
  });
  diagnostics.subscribe('cluster-internals:state', (event) => {
    const { what, from, to, why } = event as StateTrace;
    print('%s: %s → %s%s', what, from, to, why === undefined ? '' : ` (${why})`);
  });
}
