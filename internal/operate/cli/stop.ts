/**
 * `stop`, `restart` and `delete`: what the daemon does with a whole app. An app that the daemon has not started (`run`,
 * or a program with `supervise({ control })`) is stopped at its own control socket.
 *
 * Used by  commands.ts
 */
import { flag } from './arguments';
import { defineCommand } from './command';
import { untilInterrupted, withApp, withDaemonIfAny } from './connect';
import { asCommandError } from './errors';
import { printable, type Output } from './output';
import { fieldsOf, textOf } from './read';

const NAME = { text: 'NAME', least: 1, most: 1, about: [['NAME', 'the app']] } as const;
const NOW = { now: flag('kills the workers, without letting them finish their requests') };
const CODES = 'Exit codes: 0 done. 1 the reason is on stderr. 3 no such app. 130 Ctrl-C: it goes on.';

/** The command `stop`. */
export const stop = defineCommand({
  name: 'stop',
  takes: NAME,
  about: ['Stops an app: no new connections, and requests in progress finish within its --leave-timeout. The daemon remembers it: start NAME starts it again.', CODES],
  examples: ['cluster-internals stop api'],
  options: NOW,
  run: async ({ names: [name = ''], values, output }) => {
    const params = values.now === true ? { now: true } : {};
    const app = await ofDaemon('stop', name, params) ?? await untilInterrupted(`the stop of ${name}`, name, withApp(name, (client) => client.call('stop', params)));
    output.result(app, () => `${name}: stopped`);
    return 0;
  },
});

/** The command `restart`. */
export const restart = defineCommand({
  name: 'restart',
  takes: NAME,
  about: ['Stops an app and starts it again, with a new primary. Nobody serves in between: clients are refused. `reload` replaces the workers without that.', CODES],
  examples: ['cluster-internals restart api'],
  options: {},
  run: async ({ names: [name = ''], output }) => commandOfDaemon('restart', name, {}, output, 'restarted'),
});

/** The command `delete`. */
export const remove = defineCommand({
  name: 'delete',
  takes: NAME,
  about: ['Stops an app, and forgets it. Its log files stay.', CODES],
  examples: ['cluster-internals delete api'],
  options: NOW,
  run: async ({ names: [name = ''], values, output }) => commandOfDaemon('delete', name, values.now === true ? { now: true } : {}, output, 'deleted'),
});

async function commandOfDaemon(method: 'restart' | 'delete', name: string, params: object, output: Output, done: string): Promise<number> {
  const app = await ofDaemon(method, name, params);
  // The daemon knows no such app. If it runs nevertheless, the daemon has not started it.
  if (app === null) return withApp(name, (client) => Promise.reject(new Error(`${name} was started by ${client.hello.startedBy === 'run' ? 'the command run' : 'a program'} (process ${client.hello.pid}), so only that can ${method} it; cluster-internals stop ${name} stops it`)));
  const state = textOf(fieldsOf(app)['state']);
  output.result(app, () => `${name}: ${done}${state === '' ? '' : `, ${printable(state)}`}`);
  return 0;
}

/** The daemon's answer; null if it knows no such app, or if there is no daemon and nothing that it would know. */
async function ofDaemon(method: 'stop' | 'restart' | 'delete', name: string, params: object): Promise<object | null> {
  try {
    return await withDaemonIfAny(async (daemon) => fieldsOf(await untilInterrupted(`the ${method} of ${name}`, name, daemon.call(method, { name, ...params }))));
  } catch (error) {
    if (asCommandError(error).code === 'ERR_NO_SUCH_APP') return null;
    throw error;
  }
}
