/**
 * Where our own code does what an event shows: for a message the line that sends it and the line that receives it, for a
 * connection or a state the line that changes it. Each place is given by a text that stands on one line of one file;
 * the line numbers are found in the sources of this very copy of the project. The test recording/sources checks that
 * each text is there, once.
 *
 * Used by  interpreter.ts; merge.ts and read.ts (which copy of the project this is)
 * Never    fails if a source is missing: then the event has no `source`
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { builtFile } from '../dist_files';
import type { Fields } from '../is_object';
import type { RecordedProcess, Source } from './format';

/** A file, and a text of the line that is meant. */
export type Place = readonly [file: string, text: string];

const MASTER = 'internal/master/index.ts';
const CHILD = 'internal/child/index.ts';
const LISTENING = 'internal/child/listening.ts';
const TABLE = 'internal/master/listen_table.ts';
const HAND_OFF = 'internal/master/hand_off_queue.ts';
const ROUND_ROBIN = 'internal/master/round_robin_handle.ts';
const CHANNEL = 'internal/channel/channel.ts';
const INCOMING = 'internal/channel/incoming.ts';
const DELIVERIES = 'internal/child/deliveries.ts';

/** Each message: who sends it, who receives it. */
export const messagePlaces: Readonly<Record<string, { readonly sent: Place; readonly received: Place }>> = {
  online: { sent: [CHILD, "notify({ act: 'online' })"], received: [MASTER, "case 'online':"] },
  queryServer: { sent: [LISTENING, "call({ act: 'queryServer'"], received: [MASTER, "case 'queryServer':"] },
  'reply to queryServer': { sent: [TABLE, 'peer.send({ errno, key, ack: query.seq'], received: [CHILD, 'this.#calls.resolve(message.ack, message, handle)'] },
  'refusal of queryServer': { sent: [TABLE, 'peer.send({ errno, key, ack: seq'], received: [CHILD, 'this.#calls.resolve(message.ack, message, handle)'] },
  listening: { sent: [LISTENING, "notify({ act: 'listening'"], received: [MASTER, "case 'listening':"] },
  withdraw: { sent: [LISTENING, "call({ act: 'withdraw'"], received: [MASTER, "case 'withdraw':"] },
  close: { sent: [LISTENING, "notify({ act: 'close', key: held.key })"], received: [MASTER, "case 'close':"] },
  exitedAfterDisconnect: { sent: [CHILD, "call({ act: 'exitedAfterDisconnect' }"], received: [MASTER, "case 'exitedAfterDisconnect':"] },
  reply: { sent: [MASTER, 'peer.send({ ack: seq })'], received: [CHILD, 'this.#calls.resolve(message.ack, message, handle)'] },
  newconn: { sent: ['internal/master/peer.ts', 'handOff.seq = send(connection'], received: [CHILD, "case 'newconn':"] },
  accepted: { sent: [CHILD, 'return this.#accept(seq, written)'], received: ['internal/master/peer.ts', 'return this.acknowledge(upTo, rejected)'] },
  'reply to newconn': { sent: [CHILD, 'notify({ ack: seq, accepted })'], received: ['internal/master/peer.ts', "if ('ack' in message) return this.reply("] },
  returned: { sent: [CHILD, "call({ act: 'returned'"], received: [MASTER, 'this.#takeBack(peer, message, handle);'] },
  'reply to returned': { sent: [MASTER, 'peer.send({ ack: seq, taken })'], received: [CHILD, 'this.#calls.resolve(message.ack, message, handle)'] },
  returnIdle: { sent: ['internal/master/peer.ts', "act: 'returnIdle'"], received: [CHILD, "case 'returnIdle':"] },
  progress: { sent: [LISTENING, "notify({ act: 'progress'"], received: [MASTER, "case 'progress':"] },
  quota: { sent: ['internal/master/peer.ts', "act: 'quota'"], received: [CHILD, "case 'quota':"] },
  disconnect: { sent: [MASTER, "peer.send({ act: 'disconnect' })"], received: [CHILD, "case 'disconnect':"] },
  NODE_HANDLE: { sent: [CHANNEL, 'const outgoing = take();'], received: [INCOMING, "case 'NODE_HANDLE':"] },
  NODE_HANDLE_ACK: { sent: [INCOMING, "this.#reply('NODE_HANDLE_ACK')"], received: [INCOMING, "case 'NODE_HANDLE_ACK':"] },
  NODE_HANDLE_NACK: { sent: [INCOMING, "this.#reply('NODE_HANDLE_NACK')"], received: [INCOMING, "case 'NODE_HANDLE_NACK':"] },
  message: { sent: [CHANNEL, '  send(message: unknown, handle: SendHandle | undefined'], received: ['internal/channel/attach_channel.ts', 'message(message, handle) {'] },
};

/** Each event of a connection. */
export const connectionPlaces: Readonly<Record<string, Place>> = {
  queued: [HAND_OFF, "traceHandle('queued'"],
  'handed off': [HAND_OFF, "traceHandle('handed off'"],
  acknowledged: [HAND_OFF, 'connection.close(); // The worker has its own copy'],
  'given up': [HAND_OFF, "'given up'"],
  rejected: [HAND_OFF, "traceHandle('rejected'"],
  unsent: [HAND_OFF, "traceHandle('unsent'"],
  reclaimed: [HAND_OFF, "traceHandle('reclaimed'"],
  closed: [HAND_OFF, "traceHandle('closed', this.#key, connection"],
  moved: [HAND_OFF, "traceHandle('moved'"],
  'returned by a worker': ['internal/child/returns.ts', "traceHandle('returned'"],
  returned: [HAND_OFF, "traceHandle('returned'"],
  delivered: [DELIVERIES, "traceHandle('delivered'"],
  dropped: [DELIVERIES, "traceHandle('closed'"],
};

/** Each machine of states, and the line of its transition. */
export const statePlaces: Readonly<Record<string, Place>> = {
  'primary worker': [MASTER, 'traceState('],
  'worker worker': [CHILD, 'traceState('],
  address: [ROUND_ROBIN, 'traceState('],
  acceptor: ['internal/master/acceptor.ts', 'traceState('],
  'worker acceptor': ['internal/child/accept_pause.ts', 'traceState('],
  channel: [CHANNEL, 'traceState('],
  query: [TABLE, 'traceState('],
};

/** The place of an event; undefined if the event is not ours. */
export function sourceOf(event: object, role: RecordedProcess['role']): Source | undefined {
  const place = placeOf(event as Fields, role);
  return place === undefined ? undefined : find(place);
}

function placeOf(event: Fields, role: RecordedProcess['role']): Place | undefined {
  switch (event['kind']) {
    case 'message': {
      const place = messagePlaces[nameOf(event)];
      return event['way'] === 'sent' ? place?.sent : place?.received;
    }
    case 'connection': {
      // A worker's socket closes in the app.
      if (event['event'] === 'closed' && event['bytesRead'] !== undefined) return undefined;
      const name = String(event['event']);
      return connectionPlaces[role === 'worker' && name === 'returned' ? 'returned by a worker' : name];
    }
    case 'state':
      return statePlaces[`${role} ${String(event['of'])}`] ?? statePlaces[String(event['of'])];
    default:
      return undefined;
  }
}

/** Replies have no `act`: what they answer is in their fields. */
function nameOf({ act, fields }: Fields): string {
  const name = String(act);
  if (name !== 'reply' || typeof fields !== 'object' || fields === null) return Object.hasOwn(messagePlaces, name) ? name : '';
  const { accepted, taken, key, errno } = fields as Fields;
  if (typeof taken === 'boolean') return 'reply to returned';
  if (typeof accepted === 'boolean') return 'reply to newconn';
  if (typeof key !== 'string') return 'reply';
  return typeof errno === 'number' && errno < 0 ? 'refusal of queryServer' : 'reply to queryServer';
}

/**
 * Names this copy of the project: its version, and a hash of all sources that have a place here. The lines in a recording
 * are right for a reader with the same name. `textOf` gives the text of a source.
 */
export function release(textOf = (file: string): string => linesOf(file).join('\n')): string {
  const places = [...Object.values(messagePlaces).flatMap(({ sent, received }) => [sent, received]), ...Object.values(connectionPlaces), ...Object.values(statePlaces)];
  const hash = createHash('sha256');
  for (const file of new Set(places.map(([name]) => name))) hash.update(`${file}\n${textOf(file)}\n`);
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  return `${version} (${hash.digest('hex').slice(0, 8)})`;
}

const root = path.dirname(builtFile(''));
const texts = new Map<string, readonly string[]>();
const found = new Map<Place, Source | undefined>();

function find(place: Place): Source | undefined {
  if (!found.has(place)) {
    const [file, text] = place;
    const at = linesOf(file).findIndex((line) => line.includes(text));
    found.set(place, at === -1 ? undefined : { file, line: at + 1 });
  }
  return found.get(place);
}

function linesOf(file: string): readonly string[] {
  let lines = texts.get(file);
  if (lines === undefined) texts.set(file, lines = read(path.join(root, file)).split('\n'));
  return lines;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // An installation without the sources.
  }
}
