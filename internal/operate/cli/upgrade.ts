/**
 * `upgrade`: the primary of an app is replaced by another process, with another version of its program, of this library or of
 * Node.
 *
 * Used by  commands.ts
 * Keeps    the exit code is the outcome: 0 if the new primary has everything, 1 with the reason if the old one goes on
 */
import { text, time } from './arguments';
import { defineCommand } from './command';
import { untilInterrupted, withApp } from './connect';
import { CommandError, asCommandError } from './errors';
import { noteProgress } from './event_lines';
import { fieldsOf, numberOf, textOf } from './read';
import { scriptOf } from './app_options';

/** The command `upgrade`. */
export const upgrade = defineCommand({
  name: 'upgrade',
  takes: { text: 'NAME', least: 1, most: 1, about: [['NAME', 'the app, or the path of a control socket']] },
  rest: 'arguments of the script of the new primary; by default those of the old one',
  about: [
    'Replaces the primary itself: a new process runs its program, gets the listening sockets, and starts workers. When all of them are ready it serves, and the old one ends. '
    + 'No connection is refused meanwhile. reload replaces the workers only.',
    'Exit codes: 0 the new primary serves, and the old one has nothing left. 1 the new primary was not taken; the reason is on stderr, and the old one goes on. 3 no such app. '
    + '130 Ctrl-C: the upgrade goes on.',
  ],
  examples: ['cluster-internals upgrade api', 'cluster-internals upgrade api --node /opt/node-26/bin/node'],
  options: {
    script: text('SCRIPT', 'another program of the primary'),
    node: text('PATH', 'another Node binary'),
    'ready-timeout': time('how long the new primary may take until its workers are ready: 60s by default'),
  },
  run: async ({ names: [name = ''], values, rest, output }) => {
    const params = {
      ...(values.script === undefined ? {} : { script: scriptOf(values.script) }), ...(values.node === undefined ? {} : { execPath: values.node }),
      ...(values['ready-timeout'] === undefined ? {} : { readyTimeoutMs: values['ready-timeout'] }), ...(rest.length === 0 ? {} : { args: rest }),
    };
    const report = fieldsOf(await withApp(name, (app) => untilInterrupted(`the upgrade of ${name}`, name, app.call('upgrade', params, {
      onProgress: (event) => noteProgress(event, output),
    })).catch((error: unknown) => {
      const known = asCommandError(error);
      if (known.code !== 'ERR_CONTROL_CLOSED') throw known;
      throw new CommandError(1, known.code, `the primary of ${name} has ended, or has closed the connection, before the upgrade was done; cluster-internals status ${name} shows what runs`);
    })));
    const seconds = ((numberOf(report['ms']) ?? 0) / 1000).toFixed(1);
    output.result(report, () => `${name}: the primary is process ${numberOf(report['pid']) ?? '?'} now (Node ${textOf(report['node'])}), ${numberOf(report['connections']) ?? 0} connections have moved to it (${seconds} s)`);
    return 0;
  },
});
