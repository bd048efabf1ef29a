/**
 * The logs that the processes of a scenario leave (test/differential/observe.js), and how they become lines that can be
 * compared between two runs.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import path from 'node:path';
import { isObject } from '../../internal/is_object';
import { root } from './program';

export type Implementation = 'stock' | 'ours';

/** The lines of one subject in one process, in order; the key is "P W1", "W1 self", "W1 newconn". */
export type Traces = Map<string, string[]>;

type Message = Record<string, unknown>;

/** Bytes of one log that are read. No scenario writes a hundredth of it, but a runtime may emit an event without end. */
const MOST_BYTES = 8 << 20;

/** A line of a log, as `observe.js` writes it: a text, or a cluster message. */
export interface Entry {
  readonly subject: string;
  readonly text?: string;
  readonly implementation?: Implementation;
  readonly way?: 'sent' | 'received';
  readonly message?: Message;
  readonly handle?: boolean;
  /** The scenario wants the two directions compared apart. */
  readonly apart?: boolean;
  /** The pid of a forked child, and what its parent calls it. */
  readonly child?: number;
  readonly as?: string;
  /** The exception by which the process ends. */
  readonly dies?: string;
}

const isAbsentOr = (type: string, ...values: readonly unknown[]): boolean => values.every((value) => value === undefined || typeof value === type);

/** Is it an entry? A runtime that is no Node may write anything. */
function isEntry(value: unknown): value is Entry {
  if (!isObject(value)) return false;
  const { subject, text, implementation, way, message, child, as, dies } = value;
  return (typeof subject === 'string' || child !== undefined) && isAbsentOr('string', subject, text, implementation, way, as, dies) && isAbsentOr('number', child)
    && (message === undefined || isObject(message));
}

/** What the recorder writes by itself, whatever the scenario does. */
export const isOfTheRecorder = ({ implementation, subject, text, dies }: Entry): boolean => implementation !== undefined || dies !== undefined || (subject === 'self' && /^exits with /.test(text ?? ''));

interface Placed {
  readonly subject: string;
  readonly line: string;
}

/** Numbers of one conversation: which of my messages does this reply answer? */
interface Conversation {
  readonly names: Map<unknown, string>;
  readonly counts: Map<string, number>;
  /** Hand-offs not answered yet, by seq (D2). */
  handOffs: number[];
}

export function normalise(entries: readonly Entry[]): Placed[] {
  const conversations = new Map<string, Conversation>();
  const conversation = (subject: string, way: string): Conversation => {
    const key = `${subject} ${way}`;
    const known = conversations.get(key) ?? { names: new Map(), counts: new Map(), handOffs: [] };
    conversations.set(key, known);
    return known;
  };
  return entries.flatMap((entry): Placed[] => {
    const { subject, text, way, message, handle, apart, dies } = entry;
    if (dies !== undefined) return [];
    if (way === undefined || message === undefined) return [{ subject, line: text ?? '' }];
    const place = apart === true ? `${subject} ${way}` : subject;
    const mine = conversation(subject, way);
    const theirs = conversation(subject, way === 'sent' ? 'received' : 'sent');
    const { cmd: _cmd, seq, ack, act, ...fields } = message;
    // Our trace does not show ticket keys (trace.ts); that the workers get them the scenarios of TLS see.
    if (fields['data'] !== null && fields['data'] !== undefined) fields['data'] = '[redacted]';
    const withHandle = handle === true ? ' with a handle' : '';

    // D2: Node answers each hand-off by itself, ours all of a turn together. Both become one line for
    // each answered connection, apart from the other messages, among which they come at other times.
    const answers = handOffAnswers(message, theirs);
    if (answers !== null) {
      // A full worker refuses as often as it is asked, so only who took a connection counts.
      return answers.filter(({ accepted }) => accepted).map(({ key }) => ({ subject: `${subject} newconn`, line: `accepted by ${way === 'sent' ? 'us' : subject} key=${key}` }));
    }
    if (act === 'newconn') {
      mine.handOffs.push(seq as number);
      mine.names.set(seq, String(fields['key']));
      return [];
    }
    if (ack !== undefined) {
      return [{ subject: place, line: `${way} reply to ${theirs.names.get(ack) ?? 'nothing'} ${JSON.stringify(fields)}${withHandle}` }];
    }
    const count = (mine.counts.get(String(act)) ?? 0) + 1;
    mine.counts.set(String(act), count);
    mine.names.set(seq, `${String(act)} ${count}`);
    return [{ subject: place, line: `${way} ${String(act)} ${JSON.stringify(fields)}${withHandle}` }];
  });
}

/** The hand-offs that this message answers; null if it is no such answer. */
function handOffAnswers(message: Message, asked: Conversation): { key: string; accepted: boolean }[] | null {
  const { act, ack, accepted, upTo, rejected } = message;
  if (act !== 'accepted' && typeof accepted !== 'boolean') return null;
  const answered = act === 'accepted' ? asked.handOffs.filter((seq) => seq <= (upTo as number)) : asked.handOffs.filter((seq) => seq === ack);
  asked.handOffs = asked.handOffs.filter((seq) => !answered.includes(seq));
  return answered.map((seq) => ({
    key: asked.names.get(seq) ?? '',
    accepted: act === 'accepted' ? !(Array.isArray(rejected) && rejected.includes(seq)) : accepted === true,
  }));
}

/** Takes out of a line what differs from run to run. */
export function plain(line: string, directory: string, port: number): string {
  return line
    .replaceAll(directory, '<dir>')
    .replaceAll(root, '<root>')
    .replace(new RegExp(`\\b${Math.floor(port / 10)}(\\d)\\b`, 'g'), '<port $1>')
    .replace(/(port"?: ?)([1-9]\d{3,4})\b/g, '$1<port>')
    .replace(/(\d|\]|::|null):([1-9]\d{3,4})\b/g, '$1:<port>')
    .replace(/(fd"?: ?)([3-9]|\d\d)\b/g, '$1<fd>')
    .replace(/null:null:null:\d+/g, 'null:null:null:<fd>');
}

/** What one process has recorded. */
export interface Log {
  readonly name: string;
  readonly entries: readonly Entry[];
}

/**
 * What each process has recorded, under its name. In a program of `child_process.fork` only the parent
 * knows what a child is called: the logs there are named by pid, and each tells of its children.
 *
 * @returns the logs in order of their names, and in `torn` the lines that are no entries: a process was killed while it wrote
 */
export function readLogs(directory: string): { logs: Log[]; torn: string[] } {
  const torn: string[] = [];
  const entryOf = (line: string): Entry[] => {
    let entry: unknown;
    try {
      entry = JSON.parse(line);
    } catch {
      entry = null;
    }
    if (isEntry(entry)) return [entry];
    torn.push(line);
    return [];
  };
  const files = readdirSync(directory).filter((name) => name.endsWith('.log')).map((log): Log =>
    ({ name: log.slice(0, -4), entries: beginningOf(path.join(directory, log)).trimEnd().split('\n').flatMap(entryOf) }));
  const parents = new Map(files.flatMap(({ name, entries }) => entries.flatMap(({ child, as }) => (child === undefined ? [] : [[String(child), { name, as }]]))));
  // `below`: the logs whose names need this one. A process that names itself as its child would need itself.
  const nameOf = (log: string, below: readonly string[] = []): string => {
    const parent = below.includes(log) ? undefined : parents.get(log);
    if (parent === undefined) return /^\d+$/.test(log) ? 'P' : log;
    const of = nameOf(parent.name, [...below, log]);
    return of === 'P' ? `${parent.as}` : `${of}.${parent.as}`;
  };
  const logs = files.map(({ name, entries }): Log => ({ name: nameOf(name), entries: entries.filter(({ child }) => child === undefined) }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  return { logs, torn };
}

/** Reads a file, but no more than MOST_BYTES of it. */
function beginningOf(file: string): string {
  const fd = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(Math.min(fstatSync(fd).size, MOST_BYTES));
    return bytes.toString('utf8', 0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}
