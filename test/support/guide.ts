/**
 * The fenced blocks of a chapter of lib/README.md, for the test that plays each of them. A test names all blocks of its
 * chapter: one that is new makes it red until it is played.
 *
 * Used by  operate/haproxy.test.ts, operate/real_systemd.test.ts, shared_state/redis_bad_input.test.ts
 */
import { parts, textOf } from './documents';

/** The blocks of the chapter with this heading, up to the next heading that is not below it. Throws unless their languages are these. */
export function chapterBlocks(heading: string, languages: readonly string[]): string[] {
  const { blocks, lines } = parts(textOf('lib/README.md'));
  const begin = lines.find(({ text }) => /^#+ /.test(text) && text.replace(/^#+ /, '') === heading);
  if (begin === undefined) throw new Error(`lib/README.md has no heading '${heading}'`);
  const depth = begin.text.indexOf(' ');
  const next = lines.find(({ text, number }) => number > begin.number && /^#+ /.test(text) && text.indexOf(' ') <= depth);
  const inside = blocks.filter(({ line }) => line > begin.number && line < (next?.number ?? Infinity));
  const found = inside.map(({ language }) => language);
  if (String(found) !== String(languages)) throw new Error(`The chapter '${heading}' has the blocks ${found.join(', ')}; the tests play ${languages.join(', ')}`);
  return inside.map(({ code }) => code);
}

/** The text of a block with what has to differ in a test: other ports, directories and times. */
export function replaced(block: string, differences: Readonly<Record<string, string>>): string {
  return Object.entries(differences).reduce((text, [from, to]) => text.replaceAll(from, to), block);
}
