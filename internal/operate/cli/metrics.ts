/**
 * `metrics`: what /metrics answers, for an app that has no such address too.
 *
 * Used by  commands.ts
 */
import { defineCommand } from './command';
import { withApp } from './connect';
import { fieldsOf, textOf } from './read';

/** The command `metrics`. */
export const metrics = defineCommand({
  name: 'metrics',
  takes: { text: 'NAME', least: 1, most: 1, about: [['NAME', 'the app, or the path of a control socket']] },
  about: ['Prints the metrics of an app in the format OpenMetrics: connections, restarts, reloads, and figures of each worker. For Prometheus itself start the app with --metrics PORT.'],
  examples: ['cluster-internals metrics api | grep restarts'],
  options: {},
  run: async ({ names: [name = ''], output }) => {
    const result = await withApp(name, (app) => app.call('metrics'));
    output.result(result, () => textOf(fieldsOf(result)['text']).trimEnd());
    return 0;
  },
});
