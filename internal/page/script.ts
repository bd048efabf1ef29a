/**
 * Puts the scripts of the page together: the files of client/ are modules that a reader (and a test) can load one by
 * one; in the page they are one script. Each module becomes a function that is called at once and returns what the module
 * exports; an import becomes a constant. The files follow each other so that each comes after those that it imports.
 * Nothing is minified: who opens the page's source reads the same code.
 *
 * The files of client/ are read when a page is made, from internal/page/client/ of the package: they are no TypeScript,
 * so the build has nothing to do with them, and an edit is seen at once.
 *
 * Used by  page.ts
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { builtFile } from '../dist_files';

/** `internal/page` of the package, also if this file runs from dist/. */
const directory = path.join(path.dirname(builtFile('')), 'internal/page');

/** Reads a file of client/ or texts/. */
export const readPart = (name: string): string => readFileSync(path.join(directory, name), 'utf8');

/** Its dots stand for quotes: a test looks for imports of the project's files, and must not take this for one. */
const IMPORT = /^import \{([^}]*)\} from .\.\/([a-z_]+)\.js.;\n/gm;
const EXPORT = /^export (?=(?:async )?(?:const|let|function|class) (\w+))/gm;

/** The whole script, beginning at main.js. @throws Error if a module imports what is not there, or itself by way of others */
export function pageScript(read: (name: string) => string = (name) => readPart(`client/${name}.js`)): string {
  const exported = new Map<string, readonly string[]>();
  const parts: string[] = [];
  const visit = (name: string, way: readonly string[]): void => {
    if (way.includes(name)) throw new Error(`The modules of the page import each other in a circle: ${[...way, name].join(' → ')}`);
    if (exported.has(name)) return;
    const text = read(name);
    for (const [, list = '', target = ''] of text.matchAll(IMPORT)) {
      visit(target, [...way, name]);
      const missing = list.split(',').map((each) => each.trim()).find((each) => exported.get(target)?.includes(each) !== true);
      if (missing !== undefined) throw new Error(`${name}.js imports ${missing} from ${target}.js, which does not export that name`);
    }
    const names = [...text.matchAll(EXPORT)].map(([, declared = '']) => declared);
    exported.set(name, names);
    const body = text.replace(IMPORT, (_all, list: string, target: string) => `const {${list}} = ${target}_js;\n`).replace(EXPORT, '');
    parts.push(`const ${name}_js = (() => {\n${body}return { ${names.join(', ')} };\n})();\n`);
  };
  visit('main', []);
  return parts.join('\n');
}
