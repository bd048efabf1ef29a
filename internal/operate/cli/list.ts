/**
 * `list`: all apps of this user, one line each.
 *
 * Used by  commands.ts, status.ts
 */
import type { Fields } from '../../is_object';
import { defineCommand } from './command';
import { withDaemonIfAny } from './connect';
import { printable, type Output } from './output';
import { fieldsOf, listOf, numberOf, textOf } from './read';
import { UNKNOWN, countText, durationText, table } from './table';

/** The command `list`. */
export const list = defineCommand({
  name: 'list',
  about: ['Shows all apps of this user: those that the daemon has started, and those that answer at a control socket (run, and supervise({ control })).'],
  examples: ['cluster-internals list', "cluster-internals list --json | jq -r '.apps[] | select(.state != \"online\") | .name'"],
  options: {},
  run: async ({ output }) => listApps(output),
});

/** Prints the apps; the exit code is 0, also if there are none. */
export async function listApps(output: Output): Promise<number> {
  const result = await withDaemonIfAny((daemon) => daemon.call('list'));
  const apps = listOf(fieldsOf(result)['apps']);
  output.result(result ?? { daemon: null, apps: [], warnings: [] }, () => (apps.length === 0 ? 'no apps; cluster-internals start SCRIPT starts one' : appTable(apps, output)));
  const { warnings } = fieldsOf(result);
  for (const warning of Array.isArray(warnings) ? warnings : []) output.note(printable(String(warning)));
  for (const app of apps) if (textOf(app['reason']) !== '') output.note(`${printable(textOf(app['name']))}: ${printable(textOf(app['reason']))}`);
  return 0;
}

function appTable(apps: readonly Fields[], output: Output): string {
  return table([
    { head: 'name' }, { head: 'state' }, { head: 'ready', right: true }, { head: 'uptime', right: true }, { head: 'restarts', right: true },
    { head: 'pid', right: true }, { head: 'started by' }, { head: 'script' },
  ], apps.map((app) => [
    printable(textOf(app['name'])), stateText(textOf(app['state']), output),
    numberOf(app['instances']) === null ? UNKNOWN : `${countText(app['ready'])}/${countText(app['instances'])}`,
    durationText(app['uptimeMs']), countText(app['restarts']), countText(app['pid']), printable(textOf(app['startedBy'])), printable(textOf(app['exec']) || UNKNOWN),
  ]));
}

/** The state of an app or a worker, in the colour of what it means. */
export function stateText(state: string, output: Output): string {
  if (state === 'online' || state === 'ready') return output.paint('green', state);
  return state === 'errored' || state === 'given up' ? output.paint('red', state) : output.paint('yellow', printable(state));
}
