/**
 * `export`: turns a recording into something that another tool opens.
 *
 * Used by  commands.ts
 * Uses     recording/read.ts, recording/exports/index.ts
 */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { builtFile } from '../../dist_files';
import { EXPORTS } from '../../recording/exports/index';
import { readRecording } from '../../recording/read';
import { oneOf, text, wrong } from './arguments';
import { defineCommand } from './command';
import { CommandError } from './errors';

const FORMS = ['mermaid', 'perfetto', 'pcapng', 'text'] as const;

/** The command `export`. */
export const exportRecording = defineCommand({
  name: 'export',
  takes: { text: 'FILE', least: 1, most: 1, about: [['FILE', 'a recording; or the directory FILE.parts that a killed `record` has left']] },
  about: [
    'Writes a recording in another form to stdout, or to a file with -o. mermaid: a sequence diagram for documents. perfetto: Chrome trace events, for '
    + 'ui.perfetto.dev. pcapng: a capture for Wireshark and tshark, with nanosecond times. text: one line for each event.',
    `Wireshark shows the fields with a dissector: tshark -X lua_script:${builtFile('../internal/recording/cluster_internals.lua')} -r FILE.pcapng`,
    'Exit codes: 0 done. 1 FILE cannot be read, or is no recording of this version. 2 a wrong argument.',
  ],
  examples: ['cluster-internals export app.recording.jsonl --to text', 'cluster-internals export app.recording.jsonl --to pcapng -o app.pcapng'],
  options: { to: oneOf(FORMS, 'the form'), output: text('FILE', 'writes to this file in place of stdout', 'o') },
  run: async ({ values, names, output }) => {
    const { to, output: file } = values;
    if (to === undefined) throw wrong(`export needs --to ${FORMS.join('|')}`);
    if (to === 'pcapng' && file === undefined && output.isTerminal) throw wrong('pcapng is no text for a terminal: name a file with -o');
    const recording = await readRecording(names[0] ?? '');
    const target: Writable = file === undefined ? process.stdout : createWriteStream(file);
    const failed = new Promise<never>((_resolve, reject) => target.once('error', reject));
    try {
      await Promise.race([failed, write(EXPORTS[to](recording), target, output.closed)]);
    } catch (error) {
      if (output.closed.aborted) return 0; // `| head` has seen enough.
      throw new CommandError(1, 'ERR_EXPORT', `Cannot write ${file ?? 'stdout'}: ${(error as Error).message}`);
    }
    return 0;
  },
});

async function write(pieces: AsyncIterable<string | Buffer>, target: Writable, closed: AbortSignal): Promise<void> {
  for await (const piece of pieces) {
    if (closed.aborted) return;
    if (!target.write(piece)) await once(target, 'drain', { signal: closed });
  }
  if (target === process.stdout) return;
  target.end();
  await once(target, 'finish');
}
