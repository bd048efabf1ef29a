/**
 * `save`, `resurrect` and `kill`: all apps of the daemon at once.
 *
 * Used by  commands.ts
 */
import type { ControlClient } from '../control/client';
import { flag } from './arguments';
import { defineCommand } from './command';
import { untilInterrupted, withDaemon, withDaemonIfAny } from './connect';
import { CommandError } from './errors';
import { printable, type Output } from './output';
import { fieldsOf, listOf, textOf } from './read';

/** The command `save`. */
export const save = defineCommand({
  name: 'save',
  about: ['Remembers which apps run, with all their options. `resurrect` starts them again, for example after a restart of the machine (see `unit`).'],
  examples: ['cluster-internals save'],
  options: {},
  run: async ({ output }) => {
    const result = fieldsOf(await withDaemon((daemon) => daemon.call('save')));
    const names = Array.isArray(result['names']) ? result['names'].map(String) : [];
    output.result(result, () => `${names.length === 0 ? 'no app runs: an empty list' : printable(names.join(', '))} saved in ${printable(textOf(result['file']))}`);
    return 0;
  },
});

/** The command `resurrect`. */
export const resurrect = defineCommand({
  name: 'resurrect',
  about: ['Starts each saved app that does not run. Exit code 1 if one of them could not be started, or if nothing was saved.'],
  examples: ['cluster-internals resurrect'],
  options: {},
  run: async ({ output }) => withDaemon(async (daemon) => outcomes(await untilInterrupted('starting the saved apps', 'NAME', daemon.call('resurrect')), output, 'started')),
});

/** The command `kill`. */
export const kill = defineCommand({
  name: 'kill',
  about: ['Stops all apps that the daemon has started, each as `stop` does, and then the daemon. The next command starts the daemon again; the apps stay stopped.'],
  examples: ['cluster-internals kill', 'cluster-internals kill --keep-apps   # the daemon only, for an update: the next one takes the apps over'],
  options: { 'keep-apps': flag('only the daemon ends; all apps go on') },
  run: async ({ values, output }) => {
    const keeps = values['keep-apps'] === true;
    const call = (daemon: ControlClient): Promise<unknown> => untilInterrupted('stopping all apps', 'NAME', daemon.call('kill', keeps ? { apps: false } : {}));
    const result = await withDaemonIfAny(call);
    if (result === null) return output.result({ apps: [] }, () => 'no daemon runs, and there are no apps'), 0;
    return outcomes(result, output, 'stopped', keeps ? 'the daemon has ended; the apps go on' : 'the daemon has ended');
  },
});

/** Prints what became of each app. @throws CommandError if it failed for one of them */
function outcomes(result: unknown, output: Output, done: string, last = ''): number {
  const apps = listOf(fieldsOf(result)['apps']).map((app) => ({ name: printable(textOf(app['name'])), error: app['error'] === null ? null : printable(textOf(fieldsOf(app['error'])['message'])) }));
  const failed = apps.flatMap(({ name, error }) => (error === null ? [] : [`${name}: ${error}`]));
  if (failed.length > 0 && output.json) throw new CommandError(1, 'ERR_FAILED', failed.join('; '));
  const lines = [...apps.filter(({ error }) => error === null).map(({ name }) => `${name}: ${done}`), ...(last === '' ? [] : [last])];
  output.result(result, () => (lines.length === 0 && failed.length === 0 ? 'there was nothing to do' : lines.join('\n')));
  if (failed.length > 0) throw new CommandError(1, 'ERR_FAILED', failed.join('; '));
  return 0;
}
