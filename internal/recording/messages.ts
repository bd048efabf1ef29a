/**
 * Makes the events of the messages: gives each message an id that is the same at both ends, and joins what the sender
 * and the receiver know.
 *
 * Owns     what was sent and has not arrived, until it arrives
 * Used by  interpreter.ts
 * Uses     connections.ts
 * Keeps    the n-th frame that one end sends is the n-th that the other end receives
 */
import { CLUSTER } from '../messages';
import type { Connection, Connections } from './connections';
import type { Fields } from '../is_object';
import type { ConnectionEvent, Made, MessageEvent } from './format';
import { asObject, number, object, text, type Line } from './part_lines';
import type { Known, Processes } from './processes';

interface Sent {
  readonly event: Made<MessageEvent>;
  readonly at: number;
  readonly connection: Connection | undefined;
}

/** Messages of the app have this `act`. */
const APP = 'message';

/** The messages of one recording. */
export class Messages {
  readonly #processes: Processes;
  readonly #connections: Connections;
  readonly #sent = new Map<string, Sent>();

  constructor(processes: Processes, connections: Connections) {
    this.#processes = processes;
    this.#connections = connections;
  }

  /** The events of a line `s` or `r`: the message, then what it means for connections where no primary of ours has recorded it. */
  make(process: Known, line: Line): [Made<MessageEvent>, ...Made<ConnectionEvent>[]] {
    const way = line.k === 's' ? 'sent' : 'received';
    const peer = this.#peer(process, line);
    const peerName = peer?.name ?? '?';
    const [from, to] = way === 'sent' ? [process.name, peerName] : [peerName, process.name];
    const id = `${from}>${to}#${number(line, 'n', -1)}`;
    const shown = object(line, 'm');
    const sent = way === 'received' ? this.#sent.get(id) : undefined;
    if (sent !== undefined) this.#sent.delete(id);
    const fd = number(line, 'fd', undefined);
    const message = this.#message(sent?.event, shown, line);
    const inner = message.carries?.fields ?? message.fields;
    const related = this.#related(process, peer, way, inner, fd, sent);
    const tag = text(line, 'g');
    const event: Made<MessageEvent> = {
      kind: 'message', way, id, from, to, dialect: line['d'] === 'node' ? 'node' : 'pipelined', ...message,
      bytes: sent === undefined ? number(line, 'b', null) : sent.event.bytes,
      encoding: sent === undefined ? (line['a'] === 1 ? 'advanced' : 'json') : sent.event.encoding,
      tag: tag === 'H' || tag === 'E' ? tag : '', ...(fd === undefined ? {} : { fd }), ...related.ids,
      ...(sent === undefined ? {} : { sentAt: sent.at }),
    };
    if (way === 'sent' && peer !== undefined) this.#sent.set(id, { event, at: line.t, connection: related.connection });
    return [event, ...related.events];
  }

  /** `online` of a stock worker, from its receipt: Node's bootstrap has sent it before a recorder could run. Null if the sender has recorded it. */
  derivedOnline({ act, way, sentAt, id, from, to, fields, dialect, encoding, tag }: Made<MessageEvent>): Made<MessageEvent> | null {
    if (act !== 'online' || way !== 'received' || sentAt !== undefined) return null;
    return { kind: 'message', way: 'sent', id, from, to, dialect, act, app: false, fields, bytes: null, encoding, tag, derived: true };
  }

  /** A process has ended: what was sent to it and has not arrived never will. */
  processEnded({ name }: Known): void {
    for (const id of this.#sent.keys()) if (id.includes(`>${name}#`)) this.#sent.delete(id);
  }

  /** The other end of the channel. */
  #peer(process: Known, line: Line): Known | undefined {
    const channel = text(line, 'c');
    const [, child] = /^P to (.+)$/.exec(channel) ?? [];
    if (child === undefined) return process.parent === null ? undefined : this.#processes.byPid(process.parent, process.started);
    return child.startsWith('W') ? this.#processes.workerOf(process, Number(child.slice(1))) : this.#processes.byPid(Number(child), line.t);
  }

  /** What the message says. The receiver's line has only a few fields of it; the sender's has all. */
  #message(sent: Made<MessageEvent> | undefined, shown: Fields | null, line: Line): Pick<MessageEvent, 'act' | 'app' | 'fields' | 'redacted' | 'carries' | 'wire'> {
    if (sent !== undefined) {
      const { act, app, fields, redacted, carries, wire } = sent;
      return { act, app, fields, ...(redacted === undefined ? {} : { redacted }), ...(carries === undefined ? {} : { carries }), ...(wire === undefined ? {} : { wire }) };
    }
    const act = actOf(shown);
    const redacted = Array.isArray(line['r']) ? line['r'].map(String) : [];
    const inner = act === 'NODE_HANDLE' ? asObject(shown?.['msg']) : null;
    const wire = text(line, 'x');
    return {
      act, app: act === APP, fields: shown, ...(redacted.length === 0 ? {} : { redacted }),
      ...(act === 'NODE_HANDLE' ? { carries: { act: actOf(inner), fields: inner } } : {}), ...(wire === '' ? {} : { wire }),
    };
  }

  /** The connections that a message is about. */
  #related(process: Known, peer: Known | undefined, way: 'sent' | 'received', fields: Fields | null, fd: number | undefined, sent: Sent | undefined): {
    ids: Pick<MessageEvent, 'connection' | 'connections'>; connection: Connection | undefined; events: Made<ConnectionEvent>[];
  } {
    const none = { ids: {}, connection: undefined, events: [] };
    if (fields?.['cmd'] !== CLUSTER) return none;
    const [sender, receiver] = way === 'sent' ? [process, peer] : [peer, process];
    const seq = countOf(fields['seq']);
    const key = typeof fields['key'] === 'string' ? fields['key'] : null;
    const one = (connection: Connection | undefined, events: Made<ConnectionEvent>[] = []) => (connection === undefined ? none : { ids: { connection: connection.id }, connection, events });
    switch (fields['act']) {
      case 'newconn': {
        if (seq === null) return none;
        if (way === 'received') return one(receiver === undefined ? undefined : this.#connections.arrived(receiver, seq, fd ?? -1) ?? sent?.connection);
        const { connection, event } = this.#connections.handOff(process, receiver, seq, fd ?? -1, key);
        return one(connection, event === null ? [] : [event]);
      }
      case 'returned': {
        const connection = sent?.connection ?? this.#connections.at(process, fd ?? -1);
        if (way === 'received' && connection !== undefined && fd !== undefined) this.#connections.moved(process, fd, connection);
        return one(connection);
      }
      case 'accepted': {
        const upTo = countOf(fields['upTo']);
        if (upTo === null || sender === undefined) return none;
        const rejected = Array.isArray(fields['rejected']) ? fields['rejected'] : [];
        const events = way === 'sent' ? [] : this.#connections.inFlight(sender, upTo).filter(({ seq }) => !rejected.includes(seq))
          .flatMap((connection) => this.#connections.acknowledged(process, connection, true) ?? []);
        if (sent?.event.connection !== undefined) return { ...none, events, ids: { connection: sent.event.connection, connections: sent.event.connections ?? [] } };
        const [first, ...others] = this.#connections.answered(sender, upTo).map(({ id }) => id);
        return { ids: first === undefined ? {} : { connection: first, connections: [first, ...others] }, connection: undefined, events };
      }
    }
    const ack = countOf(fields['ack']);
    if (ack === null || typeof fields['accepted'] !== 'boolean' || sender === undefined) return none;
    const connection = this.#connections.replied(sender, ack);
    const event = connection !== undefined && way === 'received' ? this.#connections.acknowledged(process, connection, fields['accepted']) : null;
    return one(connection, event === null ? [] : [event]);
  }
}

const countOf = (value: unknown): number | null => (typeof value === 'number' && value >= 0 ? value : null);

/** The name of a message: its `act`, `reply`, or the `cmd` of another message of the runtime. */
function actOf(message: Fields | null): string {
  const cmd = message?.['cmd'];
  if (typeof cmd !== 'string' || !cmd.startsWith('NODE_')) return APP;
  if (cmd !== CLUSTER) return cmd;
  const act = message?.['act'];
  return typeof act === 'string' ? act : 'reply';
}
