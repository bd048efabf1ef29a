/**
 * `watch`: runs a program, and serves a page that shows its cluster while it runs.
 *
 * Used by  commands.ts
 * Uses     page/live/watch.ts, recording/record.ts, script_arguments.ts
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DEFAULT_LIMIT } from '../../recording/record';
import { watch as watchProgram } from '../../page/live/watch';
import { count, flag, text } from './arguments';
import { defineScriptCommand } from './script_arguments';

/** The command `watch`. */
export const watch = defineScriptCommand({
  name: 'watch',
  about: [
    'Runs an unmodified program, and serves a page on 127.0.0.1 that shows its processes, messages and connections as they happen. The page has '
    + 'buttons that act on the program: fork, reload, kill -9, stop and continue, block an event loop, disconnect, open clients.',
    'The address has a secret token: whoever knows it can kill the workers of the program. The page is there while the program runs; what it has got stays in the browser.',
    'The exit code is that of the program; 1 if the port is taken or the recording cannot be written, 2 for a wrong argument.',
  ],
  examples: ['cluster-internals watch app.js', 'cluster-internals watch --stock -o stock.jsonl app.js --port 8000'],
  options: {
    port: count('PORT', 'the port of the page, on 127.0.0.1; by default any', 1, 65_535),
    stock: flag("shows Node's own cluster in place of ours"),
    output: text('FILE', 'keeps the recording in this file; by default it is deleted when the program has ended', 'o'),
    payloads: flag("shows the content of the app's own messages, too; by default only their length"),
  },
  run: async ({ values, names, rest, output }) => {
    const { output: kept, port = 0 } = values;
    const temporary = kept === undefined ? mkdtempSync(path.join(tmpdir(), 'cluster-internals-watch-')) : null;
    const file = kept ?? path.join(temporary ?? '', 'watch.jsonl');
    try {
      const { exitCode, header } = await watchProgram(
        { program: [names[0] ?? '', ...rest], file, port, stock: values.stock === true, payloads: values.payloads === true, limit: DEFAULT_LIMIT },
        (url) => output.note(`Open ${url}`),
      );
      if (kept !== undefined) output.note(`${kept}: ${header.events} events`);
      return exitCode;
    } finally {
      if (temporary !== null) rmSync(temporary, { recursive: true, force: true });
    }
  },
});
