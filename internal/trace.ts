/**
 * What can be seen of this project from outside: every cluster message, every handle that changes
 * hands and every change of state, published on `node:diagnostics_channel`. The logic never prints;
 * a printer is one subscriber among others (`NODE_DEBUG=cluster-internals`), the tests another.
 *
 * Costs    one property read where nobody subscribed.
 * Never    holds a handle or a message beyond the publish call; shows the `data` of a query or its
 *          answer, which are the ticket keys of a TLS server: whoever reads a log could read its sessions.
 */
import diagnostics from 'node:diagnostics_channel';
import { debuglog, inspect } from 'node:util';
import { NativeObject, String } from './builtins';

/** `cluster-internals:message`: a cluster message that this process sent or received. */
export interface MessageTrace {
  /** Who sent it: `P` for the primary, `W1` for worker 1. */
  from: string;
  to: string;
  /** Whether this process is the sender or the receiver. */
  way: 'sent' | 'received';
  /** As on the wire, but for `data`: where there is any, it is `'[redacted]'`. */
  message: Readonly<Record<string, unknown>>;
  /** The fd that went with it in this process, -1 where there is none to name. */
  fd?: number;
}

/** `cluster-internals:handle`: an fd got or lost its place in this process. */
export interface HandleTrace {
  event: 'adopted' | 'released' | 'queued' | 'handed off' | 'delivered' | 'rejected' | 'unsent' | 'reclaimed' | 'closed';
  /** The channel's name, or the key of the address. */
  where: string;
  fd: number;
}

/** `cluster-internals:state`: one of the state machines took a step. */
export interface StateTrace {
  what: string;
  from: string;
  to: string;
}

const messages = diagnostics.channel('cluster-internals:message');
const handles = diagnostics.channel('cluster-internals:handle');
const states = diagnostics.channel('cluster-internals:state');

/** Does anybody listen for messages? Asked where putting one together for the trace alone would cost. */
export const messagesAreTraced = (): boolean => messages.hasSubscribers;

/** Publishes a message; `handle` is only asked for its fd. */
export function traceMessage(
  way: 'sent' | 'received', from: string, to: string, message: object, handle?: { fd?: number } | null,
): void {
  if (!messages.hasSubscribers) return;
  const trace: MessageTrace = { from, to, way, message: redacted(message as MessageTrace['message']) };
  if (handle) trace.fd = handle.fd ?? -1;
  messages.publish(trace);
}

/** A copy without what is secret in it, or the message itself. */
function redacted(message: MessageTrace['message']): MessageTrace['message'] {
  return message['data'] === undefined || message['data'] === null ? message : { ...message, data: '[redacted]' };
}

/** Publishes a handle's change of place; `handle` is only asked for its fd. */
export function traceHandle(event: HandleTrace['event'], where: string, handle: { fd?: number } | null): void {
  if (!handles.hasSubscribers) return;
  handles.publish({ event, where, fd: handle?.fd ?? -1 } satisfies HandleTrace);
}

/** Publishes a step of a state machine, named by its machine and its two states. */
export function traceState(what: string, from: string, to: string): void {
  if (!states.hasSubscribers) return;
  states.publish({ what, from, to } satisfies StateTrace);
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
    const { what, from, to } = event as StateTrace;
    print('%s: %s → %s', what, from, to);
  });
}
