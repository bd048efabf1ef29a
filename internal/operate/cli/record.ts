/**
 * `record`: runs a program and records what its cluster does.
 *
 * Used by  commands.ts
 * Uses     recording/record.ts
 */
import { defaultFile, DEFAULT_LIMIT, LEAST_LIMIT, record as recordProgram } from '../../recording/record';
import { flag, size, text, wrong } from './arguments';
import { defineScriptCommand } from './script_arguments';
import { bytesText } from './table';

/** The command `record`. */
export const record = defineScriptCommand({
  name: 'record',
  about: [
    'Runs an unmodified program, and records each message between its primary and its workers, each connection from accept to close, each state, '
    + 'and the event loop of each process. Every worker is recorded from its first message on, also one that is forked later or killed. '
    + '`cluster-internals export FILE --to text` shows the recording.',
    'The program uses our cluster: node:cluster is ours in it. With --stock it uses Node\'s own; the header of such a recording lists what it cannot show.',
    'Secrets: the ticket keys of TLS servers are replaced, environment variables are not recorded, and messages of the app only with --payloads.',
    'The exit code is that of the program; 1 if the recording cannot be written, 2 for a wrong argument.',
  ],
  examples: ['cluster-internals record app.js', 'cluster-internals record --stock -o stock.jsonl app.js --port 8000'],
  options: {
    stock: flag("records Node's own cluster in place of ours"),
    output: text('FILE', 'the file of the recording; by default SCRIPT.recording.jsonl in this directory', 'o'),
    limit: size(`all events together are at most about so long, then the oldest are dropped; ${bytesText(DEFAULT_LIMIT)} by default`),
    payloads: flag("records the content of the app's own messages, too; by default only their length"),
  },
  run: async ({ values, names, rest, output }) => {
    const script = names[0] ?? '';
    const { limit = DEFAULT_LIMIT } = values;
    if (limit < LEAST_LIMIT) throw wrong(`--limit takes ${bytesText(LEAST_LIMIT)} or more`);
    const file = values.output ?? defaultFile(script);
    const { exitCode, header } = await recordProgram({ program: [script, ...rest], file, stock: values.stock === true, limit, payloads: values.payloads === true });
    const { events, processes, cutOff } = header;
    const missing = processes.reduce((sum, one) => sum + one.missing, 0);
    output.note(`${file}: ${events} events of ${processes.length} ${processes.length === 1 ? 'process' : 'processes'}`
      + `${missing === 0 ? '' : `; ${missing} older ones were dropped (--limit)`}${cutOff.map((one) => `; cut off: ${one}`).join('')}`);
    return exitCode;
  },
});
