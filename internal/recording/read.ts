/**
 * Reads a recording as a stream: a file, or the directory of parts that a killed `record` has left.
 *
 * Owns     the file, until its last event was read
 * Used by  operate/cli/export.ts, operate/cli/view.ts, exports/
 * Never    keeps more than one chunk and one line in memory; trusts a line before a guard has checked it
 */
import { createReadStream, statSync } from 'node:fs';
import { nodeError } from '../errors';
import { isAnyHeader, isEvent, isHeader, VERSION, type GapEvent, type RecordedEvent, type RecordingHeader } from './format';
import { headerOf, readAbout, readParts } from './merge';
import { release } from './sources';

/** A recording that is being read. Its events can be read once. */
export interface Recording {
  readonly header: RecordingHeader;
  readonly events: AsyncIterable<RecordedEvent>;
  /** What a reader of it has to know. */
  readonly notes: readonly string[];
}

/** Characters. No event of a recording is so long; a file with a longer line is something else. */
const LONGEST_LINE = 64 << 20;

/**
 * Opens a recording. Rejects with ERR_RECORDING_FILE if it cannot be read, ERR_RECORDING_FORMAT if it is no recording,
 * and ERR_RECORDING_VERSION if another version of this project has written it. A line that makes no sense becomes a
 * `gap`, and so does an end without a line break.
 */
export async function readRecording(file: string): Promise<Recording> {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(file).isDirectory();
  } catch (error) {
    throw nodeError(Error, 'ERR_RECORDING_FILE', `Cannot read the recording ${file}: ${(error as Error).message}`);
  }
  if (isDirectory) return readDirectory(file);
  const lines = linesOf(file);
  const { value: first, done } = await lines.next();
  const header = done === true ? null : parse(first.text);
  if (isHeader(header)) return { header, events: eventsOf(lines), notes: otherRelease(header) };
  await lines.return(undefined);
  if (!isAnyHeader(header)) throw nodeError(Error, 'ERR_RECORDING_FORMAT', `${file} is no recording of cluster-internals: its first line is no header`);
  if (header.version === VERSION) throw nodeError(Error, 'ERR_RECORDING_FORMAT', `The header of ${file} is damaged`);
  throw nodeError(Error, 'ERR_RECORDING_VERSION', `${file} is a recording of version ${JSON.stringify(header.version)?.slice(0, 40)}; this program reads version ${VERSION}`);
}

/** What to say if another copy of this project has made the recording: its lines are those of other sources. */
function otherRelease({ release: theirs = '', stock }: RecordingHeader): string[] {
  const ours = release();
  if (theirs === ours || stock) return [];
  // The text goes to a terminal, too.
  const name = /^[\w.+-]{1,40} \([0-9a-f]+\)$/.test(theirs) ? theirs : 'one without a name';
  return [`This recording was made by another release of this project: ${name}. Its source lines are shown in the sources of ${ours}, where they may be other lines.`];
}

function readDirectory(directory: string): Recording {
  const events: RecordedEvent[] = [];
  try {
    const about = readAbout(directory);
    const processes = readParts(directory, (event) => void events.push(event));
    return { header: headerOf(about, processes, events.length, events.at(-1)?.at ?? 0), events: toAsync(events), notes: [] };
  } catch (error) {
    throw nodeError(Error, 'ERR_RECORDING_FORMAT', `${directory} holds no parts of a recording: ${(error as Error).message}`);
  }
}

async function* toAsync(events: readonly RecordedEvent[]): AsyncGenerator<RecordedEvent> {
  yield* events;
}

interface TextLine {
  readonly text: string;
  /** False if the file ends without a line break here. */
  readonly ended: boolean;
}

async function* linesOf(file: string): AsyncGenerator<TextLine, undefined> {
  let rest = '';
  for await (const chunk of createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 18 })) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) yield { text, ended: true };
    if (rest.length > LONGEST_LINE) break;
  }
  if (rest !== '') yield { text: rest.slice(0, LONGEST_LINE), ended: false };
  return undefined;
}

async function* eventsOf(lines: AsyncGenerator<TextLine>): AsyncGenerator<RecordedEvent> {
  let last: RecordedEvent | null = null;
  for await (const { text, ended } of lines) {
    const value = parse(text);
    if (isEvent(value)) yield last = value;
    else if (!ended || value === null) yield gapAfter(last);
    // A line that is whole, and no event of this version, is skipped.
  }
}

const gapAfter = (last: RecordedEvent | null): GapEvent => ({
  at: last?.at ?? 0, pid: last?.pid ?? 0, name: last?.name ?? '?', role: last?.role ?? 'other', worker: last?.worker ?? null, seq: last?.seq ?? 0,
  kind: 'gap', missing: null, why: 'file cut off',
});

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // The caller reports it.
  }
}
