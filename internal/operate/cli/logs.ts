/**
 * `logs` and `reopen-logs`: what the workers of an app print.
 *
 * Used by  commands.ts
 * Keeps    an app that does not run any more has logs too: its file is read. That is when they are needed most
 */
import { existsSync } from 'node:fs';
import { count, flag } from './arguments';
import { readLastLines } from '../app/log_tail';
import { defineCommand } from './command';
import { listedApps, withApp } from './connect';
import { asCommandError } from './errors';
import type { Output } from './output';
import { fieldsOf, textOf } from './read';

/** The command `logs`. */
export const logs = defineCommand({
  name: 'logs',
  takes: { text: 'NAME', least: 1, most: 1, about: [['NAME', 'the app']] },
  about: ['Prints the last lines of the log file of an app; with -f also those that follow, until Ctrl-C or until the app has ended. With --json each line is one document: {"line"}.'],
  examples: ['cluster-internals logs api -f', 'cluster-internals logs api --lines 1000 | grep ERROR'],
  options: { follow: flag('prints what follows too', 'f'), lines: { ...count('N', 'how many lines: 20 by default', 0, 100_000), short: 'n' } },
  run: async ({ names: [name = ''], values, output }) => {
    const lines = values.lines ?? 20;
    try {
      await withApp(name, (app) => app.call('logs', { lines, follow: values.follow === true }, { signal: output.closed, onProgress: (value) => print(fieldsOf(value)['line'], output) }));
    } catch (error) {
      if (output.closed.aborted) return 0;
      const { code } = asCommandError(error);
      if (code === 'ERR_CONTROL_CLOSED' && values.follow === true) output.note(`${name} has ended`);
      else if (code !== 'ERR_APP_NOT_RUNNING' || !await printFile(name, lines, output)) throw error;
    }
    return 0;
  },
});

function print(line: unknown, output: Output): void {
  if (typeof line === 'string') output.result({ line }, () => line);
}

/** Prints the end of the log file of an app that does not run; false if there is none. */
async function printFile(name: string, lines: number, output: Output): Promise<boolean> {
  const file = textOf((await listedApps()).find((app) => app['name'] === name)?.['log']);
  if (file === '' || !existsSync(file)) return false;
  for (const line of readLastLines(file, lines)) print(line, output);
  output.note(`${name} does not run; this is the end of ${file}`);
  return true;
}

/** The command `reopen-logs`. */
export const reopenLogs = defineCommand({
  name: 'reopen-logs',
  takes: { text: 'NAME', least: 1, most: 1, about: [['NAME', 'the app']] },
  about: ['Opens the log files of an app anew, after logrotate or somebody else has renamed them. No line is lost: until then the lines go to the renamed files.'],
  examples: ['cluster-internals reopen-logs api'],
  options: {},
  run: async ({ names: [name = ''], output }) => {
    const result = await withApp(name, (app) => app.call('reopenLogs'));
    output.result(result, () => `${name}: the log files are open anew`);
    return 0;
  },
});
