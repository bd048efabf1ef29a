/**
 * `start`: an app in the background, kept by the daemon.
 *
 * Used by  commands.ts
 */
import { statSync } from 'node:fs';
import path from 'node:path';
import type { GivenSpec } from '../app/app_spec';
import type { ControlClient } from '../control/client';
import { isAppName } from '../control/directory';
import { APP_OPTIONS, LOG_OPTIONS, presentDirectory, specOf } from './app_options';
import { wrong, type Values } from './arguments';
import { defineCommand, type Given } from './command';
import { untilInterrupted, withDaemon, withDaemonIfAny } from './connect';
import { asCommandError } from './errors';
import { noteProgress } from './event_lines';
import { printable, type Output } from './output';
import { fieldsOf, numberOf, textOf } from './read';

const OPTIONS = { ...APP_OPTIONS, ...LOG_OPTIONS };

/** The command `start`. */
export const start = defineCommand({
  name: 'start',
  takes: { text: 'SCRIPT|NAME', least: 1, most: 1, about: [['SCRIPT', 'the script of a new app'], ['NAME', 'an app that was stopped, or has failed: it starts as before']] },
  rest: 'arguments of the app',
  about: [
    'Starts an app in the background, and ends when all its workers are ready. The daemon is started if it does not run. The app gets the environment of this shell.',
    'Exit codes: 0 all workers are ready. 1 the app could not be started, or its name is taken; the reason is on stderr, and logs NAME shows what it has printed. '
    + '2 a wrong argument. 3 there is no such app. 130 Ctrl-C: the start goes on.',
  ],
  examples: ['cluster-internals start app.js -i 4', 'cluster-internals start server.js -n api -i max --ready /healthz --env PORT=8000 -- --verbose'],
  options: OPTIONS,
  run: async (given) => {
    const [script = ''] = given.names;
    if (!isNameOfApp(script)) return startNew(script, given);
    const listed = await withDaemonIfAny((daemon) => startKnown(daemon, script, given));
    return listed ?? startNew(script, given);
  },
});

/** An argument that is no file may be the name of an app. `app` is rather the app of that name than the script app.js. */
function isNameOfApp(given: string): boolean {
  const found = statSync(path.resolve(presentDirectory(), given), { throwIfNoEntry: false });
  return isAppName(given) && (found === undefined || found.isDirectory());
}

/** Starts an app that the daemon knows; null if it knows none of this name. */
async function startKnown(daemon: ControlClient, name: string, { values, rest, output }: Given<typeof OPTIONS>): Promise<number | null> {
  try {
    const given = Object.keys(values).find((option) => option in OPTIONS);
    if (given !== undefined || rest.length > 0) throw wrong(`${name} is an app that starts as before, so it takes no ${given === undefined ? 'arguments' : `--${given}`}; delete it first, or start its script under another --name`);
    return await begin(daemon, { name }, name, output);
  } catch (error) {
    if (asCommandError(error).code === 'ERR_NO_SUCH_APP') return null;
    throw error;
  }
}

async function startNew(script: string, { values, rest, output }: Given<typeof OPTIONS>): Promise<number> {
  // Before the daemon is started: a wrong path must not start one.
  const spec: GivenSpec = { ...specOf(script, values, rest), logs: logsOf(values) };
  return withDaemon((daemon) => begin(daemon, { spec }, spec.name, output));
}

async function begin(daemon: ControlClient, params: object, name: string, output: Output): Promise<number> {
  const began = performance.now();
  const app = fieldsOf(await untilInterrupted(`the start of ${name}`, name, daemon.call('start', params, {
    onProgress: (event) => noteProgress(event, output),
  })));
  output.result(app, () => {
    const workers = numberOf(app['ready']) ?? 0;
    return `${name}: ${printable(textOf(app['state']))}, ${workers} ${workers === 1 ? 'worker is' : 'workers are'} ready (${((performance.now() - began) / 1000).toFixed(1)} s, primary ${numberOf(app['pid']) ?? '?'})`;
  });
  return 0;
}

function logsOf(values: Values<typeof LOG_OPTIONS>): NonNullable<GivenSpec['logs']> {
  const { log, 'error-log': errorLog, 'log-max': maxBytes, 'log-keep': keep, 'log-time': time, 'log-worker': worker } = values;
  const absolute = (file: string): string => path.resolve(presentDirectory(), file);
  return {
    ...(log === undefined ? {} : { file: absolute(log) }), ...(errorLog === undefined ? {} : { errorFile: absolute(errorLog) }),
    ...(maxBytes === undefined ? {} : { maxBytes }), ...(keep === undefined ? {} : { keep }),
    ...(time === undefined ? {} : { time }), ...(worker === undefined ? {} : { worker }),
  };
}
