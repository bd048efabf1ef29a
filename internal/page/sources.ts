/**
 * The source files that events name, for the page to show. A recording may come from anybody, so a name in it is only a
 * name: nothing is read but TypeScript files of lib/ and internal/ of this package.
 *
 * Used by  view.ts, live/watch.ts
 * Never    reads a file outside lib/ and internal/, whatever a recording names
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { builtFile } from '../dist_files';

const root = path.dirname(builtFile(''));

/** What a name must look like: no `..`, no absolute path, no file of another kind. */
const OURS = /^(?:lib|internal)\/(?:[a-z0-9_]+\/){0,4}[a-z0-9_]+\.ts$/;

/** Collects the sources of events as they pass. */
export class Sources {
  readonly #texts = new Map<string, string>();
  readonly #missing = new Set<string>();

  /** The texts by name. */
  get texts(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#texts);
  }

  /** Reads the file that an event names, once. Gives the name and text if it is new. */
  add(event: object): { readonly file: string; readonly text: string } | null {
    const source = 'source' in event ? event.source : undefined;
    if (typeof source !== 'object' || source === null || !('file' in source) || typeof source.file !== 'string') return null;
    const { file } = source;
    if (!OURS.test(file) || this.#texts.has(file) || this.#missing.has(file)) return null;
    try {
      const text = readFileSync(path.join(root, file), 'utf8');
      this.#texts.set(file, text);
      return { file, text };
    } catch {
      this.#missing.add(file); // The page says that the file was not found.
      return null;
    }
  }
}
