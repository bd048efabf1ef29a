/**
 * Writes the page of one recording, or of two beside each other. A page is one file that a browser keeps in memory, so it
 * takes a window of a long recording: the events between two times, up to a number and a size. What is left out is
 * said on the page and by the command.
 *
 * Used by  operate/cli/view.ts, live/watch.ts (the label of a track)
 * Uses     page.ts, sources.ts
 * Never    holds more of a recording in memory than the window; writes over a recording
 */
import { closeSync, openSync, readSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { nodeError } from '../errors';
import { makePage, type PageData, type PageScene, type PageTrack } from './page';
import { Sources } from './sources';

/** What is read: the header, then the events. internal/recording/read.ts gives it. */
export interface ReadRecording {
  readonly header: object;
  readonly events: AsyncIterable<object>;
  /** What a reader of it has to know. */
  readonly notes?: readonly string[];
}

/** Which part of a recording a page shows. */
export interface Window {
  /** Nanoseconds since the start of the recording. */
  readonly from: number;
  readonly to: number;
  readonly maxEvents: number;
  /** Characters of all events together. */
  readonly maxSize: number;
}

/** A browser draws 50,000 events without a delay that one notices, and reads 40 MB in a second. */
export const WHOLE: Window = { from: 0, to: Infinity, maxEvents: 50_000, maxSize: 40 << 20 };

/** What was taken from a recording for a page. */
export interface Taken {
  readonly track: PageTrack;
  /** How many events are in the recording and not on the page: before and after the window. */
  readonly left: number;
  /** The time of the first event after the window, in nanoseconds; null if there is none. */
  readonly next: number | null;
}

/** Reads the window of a recording. The rest is read as well, to count it, and not kept. */
export async function takeWindow({ header, events, notes = [] }: ReadRecording, label: string, window: Window, sources: Sources): Promise<Taken> {
  const taken: object[] = [];
  let size = 0;
  let left = 0;
  let next: number | null = null;
  for await (const event of events) {
    const at = 'at' in event && typeof event.at === 'number' ? event.at : 0;
    if (at < window.from) {
      left++;
    } else if (next !== null || at > window.to || taken.length >= window.maxEvents || (size += JSON.stringify(event).length) > window.maxSize) {
      next ??= at;
      left++;
    } else {
      taken.push(event);
      sources.add(event);
    }
  }
  const cut = left === 0 ? [] : [`This page shows ${taken.length} events of ${taken.length + left}: ${window.from > 0 || next !== null ? `from ${seconds(window.from)} to ${next === null ? 'the end' : seconds(next)}` : ''}.`];
  return { track: { label, header, events: taken, notes: [...cut, ...notes] }, left, next };
}

const seconds = (ns: number): string => `${(ns / 1e9).toFixed(3)} s`;

/** Whose cluster a recording shows. */
export const labelOf = (header: object): string => ('stock' in header && header.stock === true ? "Node's own cluster" : 'cluster-internals');

/** The label of each track: whose cluster it is, and where two are of the same, which file. */
export function labelsOf(headers: readonly object[], files: readonly string[]): readonly string[] {
  const labels = headers.map(labelOf);
  return new Set(labels).size === labels.length ? labels : labels.map((label, at) => `${label}, ${path.basename(files[at] ?? '')}`);
}

/** The page of recordings that are shown together. Gives its text, and what it does not show. */
export async function pageOf(recordings: readonly ReadRecording[], files: readonly string[], window: Window = WHOLE): Promise<{ readonly html: string; readonly notice: string | null }> {
  const sources = new Sources();
  const labels = labelsOf(recordings.map(({ header }) => header), files);
  const taken: Taken[] = [];
  const share = { ...window, maxEvents: Math.floor(window.maxEvents / recordings.length), maxSize: Math.floor(window.maxSize / recordings.length) };
  for (const [at, recording] of recordings.entries()) taken.push(await takeWindow(recording, labels[at] ?? '', share, sources));
  const cut = taken.flatMap(({ track: { notes } }) => notes);
  const next = taken.map((each) => each.next).filter((each): each is number => each !== null);
  const notice = cut.length === 0 ? null : `${cut.join(' ')}${next.length === 0 ? '' : ` The rest: cluster-internals view --from ${(Math.floor(Math.min(...next) / 1e6))}ms ${files.map((file) => path.basename(file)).join(' ')}`}`;
  const scene: PageScene = { key: 'recording', tracks: taken.map(({ track }) => track) };
  const data: PageData = { title: titleOf(recordings.map(({ header }) => header), files), scenes: [scene], sources: sources.texts, notice };
  return { html: makePage(data), notice };
}

function titleOf(headers: readonly object[], files: readonly string[]): string {
  const [header] = headers;
  const program = header !== undefined && 'program' in header && Array.isArray(header.program) ? header.program.find((each) => typeof each === 'string') : undefined;
  return program === undefined ? path.basename(files[0] ?? '') : path.basename(String(program)).slice(0, 100);
}

/** Where the page of a recording goes by default: beside it, with the ending .html. */
export const pageFile = (recording: string): string => `${recording.replace(/(\.recording)?\.jsonl$/, '').replace(/\/+$/, '')}.html`;

/** Writes a page. @throws ERR_PAGE_FILE if that is not possible, or if the file exists and is no page */
export function writePage(file: string, html: string): void {
  const before = beginningOf(file);
  if (before !== null && !/^<!doctype html>/i.test(before)) throw nodeError(Error, 'ERR_PAGE_FILE', `${file} exists and is no page; name another file with -o`);
  try {
    writeFileSync(file, html);
  } catch (error) {
    throw nodeError(Error, 'ERR_PAGE_FILE', `Cannot write the page ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The first bytes of a file; null if there is none, or nothing is in it. */
function beginningOf(file: string): string | null {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return null;
  const fd = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(20);
    const read = readSync(fd, bytes);
    return read === 0 ? null : bytes.toString('utf8', 0, read);
  } finally {
    closeSync(fd);
  }
}
