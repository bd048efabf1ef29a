/**
 * Merges the part files of a recording into one file: the header, then all events in the order of their time.
 *
 * Owns     the file that it writes
 * Used by  record.ts, page/live/follow.ts, read.ts (for a directory of parts that a killed `record` has left)
 * Uses     processes.ts (first pass), parts.ts (second pass), interpreter.ts
 * Costs    two passes over the parts. Memory: one line of each process, and what is in flight at a time
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { FORMAT, VERSION, type RecordedEvent, type RecordingHeader } from './format';
import { Interpreter } from './interpreter';
import { kernelPart } from './kernel_queue';
import { linesOf, listParts, type Numbered } from './parts';
import { release } from './sources';
import { described, Processes, type Known } from './processes';

/** What `record` knows of a recording, and keeps beside the parts in the file `about.json`. */
export type About = Pick<RecordingHeader, 'stock' | 'started' | 'program' | 'cwd' | 'payloads' | 'limit'>;

/** The name of that file. */
export const ABOUT = 'about.json';

const CONNECTION_IDS = 'The primary counts the connections that it accepts: c1, c2, … An id does not travel. In the primary a connection is known by its fd, '
  + 'from accept until the primary closes its copy; at both ends of a hand-off by the worker and the seq of its newconn; in the worker by the fd that came with that message. '
  + 'W1-c3 is the third connection that process W1 has accepted itself.';

/** lib/README.md has the same list. */
const CANNOT_SHOW: readonly string[] = [
  'the primary\'s queue: when a connection was accepted, and how long it waited before it was handed off',
  'the states of Node\'s cluster: those of workers are derived from messages and exits, those of addresses and channels are not known',
  'the moment at which a worker sent `online`: Node\'s bootstrap sends it before any code of a recorder can run',
  'when a worker begins to take over a connection: the first sign is its net.Socket',
  'when a connection is closed that was in flight to a worker that died: nobody takes it back, and it counts as open until the primary ends',
  'lines of the source code: Node\'s own are not in this project',
  'messages of a worker or primary under the permission model, which hides the channel',
];

const processesIn = (directory: string): Processes => new Processes(listParts(directory), kernelPart(directory));

/** The events of a directory of parts. `event` is called for each, in order. */
export function readParts(directory: string, event: (event: RecordedEvent) => void): Processes {
  const processes = processesIn(directory);
  replay(processes, event);
  return processes;
}

interface Stream {
  readonly process: Known;
  readonly entries: Iterator<Numbered>;
  next: Numbered | undefined;
  /** The time of `next`; a hole has the time of the line before it. */
  at: number;
}

/** Interprets the lines of all processes in the order of their time. */
function replay(processes: Processes, sink: (event: RecordedEvent) => void): void {
  const interpreter = new Interpreter(processes, sink);
  const all = processes.kernel === null ? processes.all : [...processes.all, processes.kernel];
  const streams = all.flatMap((process): Stream[] => (process.part === null ? [] : [{ process, entries: linesOf(process.part)[Symbol.iterator](), next: undefined, at: process.started }]));
  const heap = streams.filter(advance);
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) siftDown(heap, at);
  while (heap.length > 0) {
    const first = heap[0] as Stream;
    interpreter.take(first.process, first.next as Numbered, first.at);
    if (!advance(first)) {
      const last = heap.pop() as Stream;
      if (heap.length === 0) break;
      if (last !== first) heap[0] = last;
    }
    siftDown(heap, 0);
  }
}

/** Moves a stream to its next line. False at its end. */
function advance(stream: Stream): boolean {
  const { done, value } = stream.entries.next();
  if (done === true) return false;
  stream.next = value;
  // The time of a line never runs backwards within a process.
  if ('line' in value) stream.at = Math.max(stream.at, value.line.t);
  return true;
}

/** Restores the order of a binary heap from `at` downwards. */
function siftDown(heap: Stream[], at: number): void {
  for (;;) {
    let least = at;
    for (const child of [2 * at + 1, 2 * at + 2]) {
      if (child < heap.length && (heap[child] as Stream).at < (heap[least] as Stream).at) least = child;
    }
    if (least === at) return;
    [heap[at], heap[least]] = [heap[least] as Stream, heap[at] as Stream];
    at = least;
  }
}

/** Bytes of text that are collected before a write. */
const CHUNK = 1 << 20;
/** The header is written first and completed at the end: its two last numbers may need so many more characters. */
const PADDING = 64;

/** Writes the recording of a directory of parts to `file`. Returns its header. Throws what the file system throws. */
export function mergeParts(directory: string, file: string): RecordingHeader {
  const about = readAbout(directory);
  const processes = processesIn(directory);
  const first = `${JSON.stringify(headerOf(about, processes, 0, 0))}${' '.repeat(PADDING)}`;
  const fd = openSync(file, 'w', 0o600);
  try {
    let text = `${first}\n`;
    let events = 0;
    let duration = 0;
    replay(processes, (event) => {
      events++;
      duration = event.at;
      text += `${JSON.stringify(event)}\n`;
      if (text.length < CHUNK) return;
      writeAll(fd, text);
      text = '';
    });
    writeAll(fd, text);
    const header = headerOf(about, processes, events, duration);
    const line = Buffer.from(JSON.stringify(header).padEnd(first.length));
    writeSync(fd, line, 0, line.length, 0);
    return header;
  } finally {
    closeSync(fd);
  }
}

/** Writes all of the text. */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}

/** The header; `events` and `duration` come last, so that they alone change its length. */
export function headerOf(about: About, processes: Processes, events: number, duration: number): RecordingHeader {
  const { stock } = about;
  const unrecorded = processes.all.filter((one) => one.part === null).map((one) => one.name);
  return {
    format: FORMAT, version: VERSION, release: release(), node: process.version, platform: process.platform, ...about,
    processes: processes.all.map((one) => described(one, processes)),
    connectionIds: CONNECTION_IDS,
    cannotShow: [
      ...(stock ? CANNOT_SHOW : []),
      ...(unrecorded.length === 0 ? [] : [`what ${unrecorded.join(', ')} did: these processes have left no recording of their own`]),
    ],
    cutOff: processes.all.flatMap((one) => (one.cutOff === null ? [] : [`${one.name}: ${one.cutOff}`])),
    events, duration,
  };
}

/** Reads what `record` has written about the recording. */
export function readAbout(directory: string): About {
  return JSON.parse(readFileSync(path.join(directory, ABOUT), 'utf8')) as About;
}
