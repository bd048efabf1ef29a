/**
 * `view`: writes the page of a recording, one HTML file that needs no network.
 *
 * Used by  commands.ts
 * Uses     page/view.ts, recording/read.ts
 * Never    writes over a recording, or over a file that is no page
 */
import { readRecording } from '../../recording/read';
import { pageFile, pageOf, WHOLE, writePage } from '../../page/view';
import { text, time, wrong } from './arguments';
import { defineCommand } from './command';

const MS = 1e6;

/** The command `view`. */
export const view = defineCommand({
  name: 'view',
  takes: { text: 'FILE [FILE]', least: 1, most: 2, about: [['FILE', 'a recording that `record` has written; with two, the page shows both, aligned at their start']] },
  about: [
    'Writes a page that shows a recording: each process is a lane, each message an arrow, each connection a thread; a click shows the message, its '
    + 'bytes, and the lines of source that sent and received it. Open it in a browser. It is one file, and loads nothing.',
    `A page takes ${WHOLE.maxEvents.toLocaleString('en')} events, and ${WHOLE.maxSize >> 20} MB of them. Of a longer recording it shows the beginning and says so; --from shows a later part.`,
    'Two recordings of one program, one of them made with --stock, show what Node\'s own cluster does differently.',
    'Exit codes: 0 the page is written. 1 the recording cannot be read, or the page cannot be written. 2 a wrong argument.',
  ],
  examples: ['cluster-internals view app.recording.jsonl', 'cluster-internals view app.recording.jsonl stock.recording.jsonl -o compared.html'],
  options: {
    output: text('FILE', 'the page; by default beside the recording, with the ending .html', 'o'),
    from: time('the page begins at this time of the recording'),
    to: time('the page ends at this time of the recording'),
  },
  run: async ({ values, names, output }) => {
    const window = { ...WHOLE, from: (values.from ?? 0) * MS, to: values.to === undefined ? Infinity : values.to * MS };
    if (window.to <= window.from) throw wrong('--to is not after --from');
    const file = values.output ?? pageFile(names[0] ?? '');
    const recordings = await Promise.all(names.map((name) => readRecording(name)));
    const { html, notice } = await pageOf(recordings, names, window);
    writePage(file, html);
    output.result({ page: file, notice }, () => file);
    if (notice !== null) output.note(notice);
    return 0;
  },
});
