/**
 * The documents of this repository, read as a code host shows them: their links, anchors, lines, tables and code blocks.
 *
 * Used by  unit/documents.test.ts, examples/readme.test.ts
 */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { root } from './program';

/** Every README.md and SPEC.md, by its path in the repository. */
export const documents: readonly string[] = ['README.md', ...['lib', 'internal', 'test', 'bench'].flatMap((directory) => (
  readdirSync(path.join(root, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => /^(README|SPEC)\.md$/.test(path.basename(name))).map((name) => `${directory}/${name}`)
)).sort()];

/** The text of a document. */
export const textOf = (document: string): string => readFileSync(path.join(root, document), 'utf8');

/** A fenced block: what follows the fence (`js`), its text, and the line on which the fence stands, from 1. */
export interface Block {
  readonly language: string;
  readonly code: string;
  readonly line: number;
}

/** The fenced blocks, and the lines outside of them, each with its number. */
export function parts(text: string): { readonly blocks: readonly Block[]; readonly lines: readonly { readonly text: string; readonly number: number }[] } {
  const blocks: Block[] = [];
  const lines: { text: string; number: number }[] = [];
  let open: { language: string; code: string[]; line: number } | null = null;
  text.split('\n').forEach((line, at) => {
    const fence = /^```(\S*)\s*$/.exec(line);
    if (open !== null && fence?.[1] === '') {
      blocks.push({ language: open.language, code: `${open.code.join('\n')}\n`, line: open.line });
      open = null;
    } else if (open !== null) {
      open.code.push(line);
    } else if (fence !== null) {
      open = { language: fence[1] ?? '', code: [], line: at + 1 };
    } else {
      lines.push({ text: line, number: at + 1 });
    }
  });
  if (open !== null) throw new Error('a fenced block has no end');
  return { blocks, lines };
}

/** A link to something of this repository: the path in it, empty for the document itself, and the anchor. */
export interface Link {
  readonly target: string;
  readonly anchor: string;
  readonly line: number;
}

/** Every link of a document that does not lead to another host. */
export function linksOf(text: string): Link[] {
  const links: Link[] = [];
  // A link may go on in the next line, so lines are joined; what stands between backticks is no link.
  const lines = parts(text).lines;
  const joined = lines.map((line) => line.text).join('\n').replace(/`[^`]*`/g, (code) => code.replace(/[^\n]/g, '.'));
  for (const match of joined.matchAll(/\]\(([^()\s]+)\)/g)) {
    const [target = '', anchor = ''] = (match[1] as string).split('#');
    const at = joined.slice(0, match.index).split('\n').length - 1;
    if (!/^[a-z]+:/.test(target)) links.push({ target, anchor, line: lines[at]?.number ?? 0 });
  }
  return links;
}

/** The anchors of a document, as a code host makes them of its headings, and those that it sets itself. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const { text: line } of parts(text).lines) {
    const heading = /^#{1,6} +(.*?)\s*#*$/.exec(line)?.[1];
    if (heading !== undefined) {
      const slug = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/<[^>]*>/g, '').toLowerCase().replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, '').replaceAll(' ', '-');
      let anchor = slug;
      for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
      anchors.add(anchor);
    }
    for (const match of line.matchAll(/<a (?:id|name)="([^"]+)">/g)) anchors.add(match[1] as string);
  }
  return anchors;
}

/** The rows of each table: the texts of their cells, without the head and the line below it. */
export function tablesOf(text: string): string[][][] {
  const tables: string[][][] = [];
  let last = -1;
  for (const { text: line, number } of parts(text).lines.filter((one) => one.text.startsWith('|'))) {
    if (number !== last + 1) tables.push([]);
    last = number;
    tables.at(-1)?.push(line.replace(/^\||\|$/g, '').split(/(?<!\\)\|/).map((cell) => cell.trim()));
  }
  return tables.map((rows) => rows.slice(2));
}
