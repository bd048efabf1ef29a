/**
 * `status`: one app and its workers, one line each; `--watch` redraws it.
 *
 * Used by  commands.ts
 * Keeps    a watch goes on while the primary is replaced: it says that nobody answers, and looks again
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Fields } from '../../is_object';
import { flag, time } from './arguments';
import { defineCommand } from './command';
import { withApp } from './connect';
import { asCommandError } from './errors';
import { listApps, stateText } from './list';
import { printable, type Output } from './output';
import { fieldsOf, listOf, numberOf, textOf } from './read';
import { UNKNOWN, bytesText, countText, durationText, millisecondsText, percentText, table } from './table';

/** The command `status`. */
export const status = defineCommand({
  name: 'status',
  takes: { text: '[NAME]', least: 0, most: 1, about: [['NAME', 'the app, or the path of a control socket; without it, all apps are listed']] },
  about: [
    'Shows an app and each of its workers. The event-loop delay is how much later than due its timers run: a worker that is busy or blocked has a long one. cpu is the share of one CPU. Where connections have moved from one worker to another, their number is in the first line.',
    'With --watch it is drawn again every second until Ctrl-C; with --json, each time is one line.',
  ],
  examples: ['cluster-internals status api', 'cluster-internals status api --watch'],
  options: { watch: flag('draws it again and again', 'w'), every: time('how often --watch draws it: 1s by default') },
  run: async ({ names: [name], values, output }) => {
    if (name === undefined) return listApps(output);
    if (values.watch === true) return watch(name, Math.max(100, values.every ?? 1000), output);
    const result = await withApp(name, (app) => app.call('status'));
    output.result(result, () => statusText(fieldsOf(result), output));
    return 0;
  },
});

async function watch(name: string, everyMs: number, output: Output): Promise<number> {
  let first = true;
  while (!output.closed.aborted) {
    let text: string;
    let value: unknown;
    try {
      value = await withApp(name, (app) => app.call('status'));
      text = statusText(fieldsOf(value), output);
    } catch (error) {
      // The first time it is an answer: there is no such app.
      if (first) throw error;
      const { code, message } = asCommandError(error);
      value = { error: { code, message } };
      text = `${printable(message)}; looking again`;
    }
    first = false;
    output.result(value, () => (output.isTerminal ? screen(text, output.size) : `${text}\n`));
    await delay(everyMs);
  }
  return 0;
}

/** Begins at the top of the terminal and clears what the last drawing left, without the flicker of an empty screen. */
function screen(text: string, { rows }: Output['size']): string {
  return `\x1b[H${text.split('\n').slice(0, rows - 1).map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`;
}

function statusText(app: Fields, output: Output): string {
  const generation = countText(app['generation']);
  const reload = textOf(app['reload']);
  const head = [
    `${printable(textOf(app['name'])) || UNKNOWN}  ${countText(app['ready'])} of ${countText(app['desired'])} ready`,
    `generation ${generation}`, reload === '' || reload === 'idle' ? '' : `reload: ${printable(reload)}`,
    numberOf(app['uptimeMs']) === null ? '' : `up ${durationText(app['uptimeMs'])}`, numberOf(app['pid']) === null ? '' : `primary ${countText(app['pid'])}`,
    (numberOf(app['moved']) ?? 0) === 0 ? '' : `connections moved: ${countText(app['moved'])}`,
    printable(textOf(app['exec'])),
  ].filter((part) => part !== '').join(', ');
  const rows = listOf(app['workers']).map((worker) => [
    countText(worker['place']), countText(worker['pid']), workerState(worker, output), durationText(worker['uptimeMs']), countText(worker['restarts']),
    countText(worker['connections']), countText(worker['requests']), millisecondsText(worker['eventLoopDelayMs']), bytesText(worker['rss']), percentText(worker['cpu']),
  ]);
  return rows.length === 0 ? head : `${head}\n\n${table([
    { head: 'place', right: true }, { head: 'pid', right: true }, { head: 'state' }, { head: 'uptime', right: true }, { head: 'restarts', right: true },
    { head: 'connections', right: true }, { head: 'requests', right: true }, { head: 'loop delay', right: true }, { head: 'rss', right: true }, { head: 'cpu', right: true },
  ], rows)}`;
}

/** "ready", "leaving (finishing)", "successor: starting". */
function workerState(worker: Fields, output: Output): string {
  const state = fieldsOf(worker['state']);
  const is = textOf(state['is']) || UNKNOWN;
  const phase = textOf(state['phase']);
  const until = numberOf(state['until']);
  const details = phase !== '' ? ` (${printable(phase)})` : until === null ? '' : ` (${Math.max(0, (until - Date.now()) / 1000).toFixed(1)} s)`;
  return `${worker['role'] === 'successor' ? 'successor: ' : ''}${stateText(is, output)}${details}`;
}
