/**
 * `scale`: another number of workers.
 *
 * Used by  commands.ts
 */
import { wholeNumber, wrong } from './arguments';
import { allowedCpus } from '../app/cpus';
import { defineCommand } from './command';
import { untilInterrupted, withApp } from './connect';
import { noteProgress, reportText } from './event_lines';

/** The greatest `maxWorkers` of supervise. The app itself refuses a number that is more than its own. */
const MOST_WORKERS = 65_536;

/** The command `scale`. */
export const scale = defineCommand({
  name: 'scale',
  takes: { text: 'NAME N|+N|-N|max', least: 2, most: 2, about: [['NAME', 'the app, or the path of a control socket'], ['N', 'how many workers; +1 one more, -1 one less; max: one for each CPU that the cgroup allows']] },
  about: [
    'Keeps so many workers running from now on. New ones are started; surplus ones leave when their requests are done. Places that were given up are tried again.',
    'Exit codes: 0 so many workers are ready, and surplus ones are gone. 1 the reason is on stderr. 3 no such app. 130 Ctrl-C: it goes on.',
  ],
  examples: ['cluster-internals scale api 4', 'cluster-internals scale api +1'],
  options: {},
  run: async ({ names: [name = '', number = ''], output }) => {
    const [, sign, digits] = /^([+-])(\d+)$/.exec(number) ?? [];
    const params = digits !== undefined ? { by: (sign === '-' ? -1 : 1) * wholeNumber(digits, 'N', 1, MOST_WORKERS) }
      : { to: number === 'max' ? allowedCpus() : wholeNumber(number, 'N', 0, MOST_WORKERS) };
    if (params.to === 0) throw wrong(`${name} cannot have 0 workers; cluster-internals stop ${name} stops it`);
    const report = await withApp(name, (app) => untilInterrupted(`scaling ${name}`, name, app.call('scale', params, {
      onProgress: (event) => noteProgress(event, output),
    })));
    output.result(report, () => `${name}: scaled, ${reportText(report)}`);
    return 0;
  },
});
