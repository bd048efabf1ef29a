/**
 * The plays of a whole run, kept in one file of lines: what was played once is not played again if the run is
 * interrupted and started once more, and it can be judged anew without playing.
 *
 * Used by  foreign.ts
 * Keeps    a play only while the runtime, its build, the scenario and the recorder are what they were: all of them are
 *          in its key
 */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Played } from '../../support/scenario_run';
import { writableDirectory } from '../../support/tool';
import { plain } from '../../support/trace_lines';
import { root } from '../../support/program';

/** What a play is for: to say what is right, to be judged by it, or to be judged without another scenario beside it. */
export type Use = 'measure' | 'first' | 'again' | 'alone';

/** Names one play. */
export interface Key {
  /** "Bun 1.4.5", with the hash of its build where it is ours. */
  readonly runtime: string;
  readonly scenario: string;
  /** Of the scenario's file and of the recorder's. */
  readonly digest: string;
  readonly use: Use;
}

/** `root`: the checkout in which it was played, so that it can be judged in another one. */
type Kept = Omit<Played, 'plain' | 'place'> & { readonly place: Played['place'] & { readonly root?: string } };
interface Line extends Key { readonly played: Kept }

/** Characters of stdout and of stderr, and entries of a log, that are kept. No scenario on Node has half of them. */
const MOST_TEXT = 20_000;
const MOST_ENTRIES = 3000;

export class Plays {
  readonly #file: string;
  readonly #kept = new Map<string, Played[]>();
  /** By what stays the same when the recorder, a scenario or our build changes: the keys, in their order. */
  readonly #known = new Map<string, Key[]>();

  /** @param directory  of the run; what it has is read. @param others  directories of earlier runs whose measures are taken too */
  constructor(directory: string, others: readonly string[] = []) {
    this.#file = path.join(writableDirectory(directory), 'plays.jsonl');
    this.#read(this.#file, () => true);
    for (const other of others) this.#read(path.join(other, 'plays.jsonl'), ({ use }) => use === 'measure');
  }

  #read(file: string, isWanted: (line: Line) => boolean): void {
    if (!existsSync(file)) return;
    const texts = readFileSync(file, 'utf8');
    // Whoever wrote the last line was interrupted: what comes next gets a line of its own.
    if (file === this.#file && texts !== '' && !texts.endsWith('\n')) appendFileSync(file, '\n');
    for (const text of texts.split('\n')) {
      const line = lineOf(text);
      if (line !== null && isWanted(line)) this.#put(line, revived(line.played));
    }
  }

  #put(key: Key, played: Played): void {
    const name = nameOf(key);
    this.#kept.set(name, [...(this.#kept.get(name) ?? []), played]);
    const lasting = lastingNameOf(key);
    this.#known.set(lasting, [...(this.#known.get(lasting) ?? []), key]);
  }

  /** All plays of this key, in their order. */
  get(key: Key): readonly Played[] {
    return this.#kept.get(nameOf(key)) ?? [];
  }

  /**
   * As `get`; where there are none, those of the last build, recorder and text of the scenario that was played. What was
   * played again or alone counts only beside a first play of the same three.
   */
  getLast(key: Key): readonly Played[] {
    if (key.use === 'measure' || key.use === 'first') return this.get(this.#lastOf(key));
    return this.get({ ...this.#lastOf({ ...key, use: 'first' }), use: key.use });
  }

  /** The key itself if it has plays; otherwise the last one that differs from it in build, recorder and text only. */
  #lastOf(key: Key): Key {
    return this.get(key).length > 0 ? key : this.#known.get(lastingNameOf(key))?.at(-1) ?? key;
  }

  add(key: Key, played: Played): void {
    const { plain: _plain, ...rest } = played;
    const kept: Kept = {
      ...rest, place: { ...played.place, root }, stdout: shortened(played.stdout), stderr: shortened(played.stderr),
      logs: played.logs.map(({ name, entries }) => ({ name, entries: entries.slice(0, MOST_ENTRIES) })), torn: played.torn.slice(0, 10).map(shortened),
    };
    appendFileSync(this.#file, `${JSON.stringify({ ...key, played: kept })}\n`);
    this.#put(key, revived(kept));
  }
}

const nameOf = ({ runtime, scenario, digest, use }: Key): string => [runtime, scenario, digest, use].join('\0');
/** Without the hash of our build and of the scenario. */
const lastingNameOf = ({ runtime, scenario, digest, use }: Key): string => [runtime.replace(/ [\da-f]{12}\b/, ''), scenario, digest.replace(/^[\da-f]+/, ''), use].join('\0');
const shortened = (text: string): string => (text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}\n(${text.length - MOST_TEXT} more characters)` : text);
const revived = (kept: Kept): Played => {
  const { directory, port, root: own = root } = kept.place;
  return { ...kept, plain: (line) => plain(line.replaceAll(own, root), directory, port) };
};

/** A line of the file; null if it is not whole: the run was interrupted while it wrote. */
function lineOf(text: string): Line | null {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return null;
  }
}

const hashOf = (files: readonly string[]): string => {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 12);
};

/** Of a scenario with everything that it can load beside itself. */
export function digestOf(file: string): string {
  const above = path.dirname(path.dirname(file));
  return hashOf([file, ...readdirSync(above).filter((name) => name.endsWith('.js')).sort().map((name) => path.join(above, name))]);
}

/** Of all that ours runs: dist/lib and dist/internal. */
export function digestOfBuild(): string {
  const dist = path.join(root, 'dist');
  return hashOf(['lib', 'internal'].flatMap((part) => readdirSync(path.join(dist, part), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js')).sort().map((name) => path.join(dist, part, name))));
}
