/**
 * `run`: an app in the foreground. This process is the primary: no daemon, no log files, the workers write to its stdout
 * and stderr. It is made for containers, and for a look at an app in a terminal.
 *
 * Used by  commands.ts, unit.ts (checks its arguments)
 * Uses     first_process.ts (what process 1 of a container has to do besides), control/app_control.ts (reload, scale and
 *          the like work from another shell)
 * Never    passes a signal on to the workers: the supervisor makes them leave, phase by phase
 * Keeps    the exit code that the supervisor decides (supervisor/primary_end.ts): 0, 69, 70
 */
import { once } from 'node:events';
import { checkSpec, supervisorOptions } from '../app/app_spec';
import { openControl } from '../control/app_control';
import { MetricsReader } from '../metrics/reader';
import { APP_OPTIONS, specOf } from './app_options';
import { defineCommand } from './command';
import { becomeChildOfReaper } from './first_process';
import { eventLines } from './event_lines';

/** How long answers to clients may take after the last worker has left, in milliseconds. */
const LAST_WORDS_MS = 500;

/** The command `run`. */
export const run = defineCommand({
  name: 'run',
  takes: { text: 'SCRIPT', least: 1, most: 1, about: [['SCRIPT', 'the script of the app']] },
  rest: 'arguments of the app',
  about: [
    'Runs the app in the foreground until it is stopped. No daemon: this process starts the workers, and keeps them running.',
    'SIGTERM and SIGINT stop it: no new connections, and requests in progress finish within --leave-timeout; a second '
    + 'signal, a second later or more, kills what is left. SIGHUP replaces all workers. SIGTTIN adds one, SIGTTOU takes one away. '
    + 'reload, scale, status and the like work from another shell (kubectl exec).',
    'Exit codes: 0 all workers have left. 1 the script does not exist, or no worker can be started. 2 a wrong argument. '
    + '69 no worker can be kept running. 70 a worker had to be killed at its deadline.',
  ],
  examples: ['cluster-internals run app.js -i max --drain-delay 5s --health 0.0.0.0:9000'],
  options: APP_OPTIONS,
  run: async ({ values, names, rest, output, doors }) => {
    becomeChildOfReaper((text) => output.note(text));
    const given = specOf(names[0] ?? '', values, rest);
    const options = supervisorOptions(checkSpec({ ...given, env: {} }, '/'));
    const supervisor = doors.supervise({ ...options, env: values.env ?? {} });
    const { name } = given;
    const metrics = new MetricsReader(supervisor, doors.cluster());
    openControl(supervisor, name, { startedBy: 'run', metrics: () => metrics.text() });
    const { desired } = supervisor.status();
    output.note(`${name}: starting ${desired} ${desired === 1 ? 'worker' : 'workers'} (primary ${process.pid})`);
    eventLines(supervisor, name, {
      line: (text, event) => output.result(event, () => text),
      failure: (text, event) => (output.json ? output.result(event, () => text) : output.note(output.paint('red', text, process.stderr))),
    }, (style, text) => output.paint(style, text));
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => output.note(`${name}: ${signal}, stopping; no new connections, requests in progress finish`));
    }
    try {
      await once(supervisor, 'stopped');
    } catch (error) {
      await supervisor.stop({ now: true }); // The address of --health or --metrics is not to be had, for example.
      throw error;
    } finally {
      // The client that asked for the stop still gets its answer. Then nothing may keep this process, not even --health.
      setTimeout(() => process.exit(), LAST_WORDS_MS).unref();
    }
    return undefined;
  },
});
