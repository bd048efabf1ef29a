/**
 * `reload`, `rollback` and `recycle`: the workers of an app are replaced by new ones, without a lost request.
 *
 * Used by  commands.ts
 * Keeps    the exit code is the outcome: 0 if every worker was replaced, 1 with the reason if the old ones go on
 */
import { flag, text, wholeNumber } from './arguments';
import { RELEASE_OPTIONS, directoryOf, scriptOf } from './app_options';
import { defineCommand } from './command';
import { untilInterrupted, withApp } from './connect';
import { CommandError, asCommandError } from './errors';
import { noteProgress, reportText } from './event_lines';
import type { Output } from './output';
import { fieldsOf } from './read';

const WAITING = {
  wait: flag('ends when every worker is replaced, or none: the default'),
  'no-wait': flag('ends as soon as it has begun; status shows how it goes on'),
};
const NAME = { text: 'NAME', least: 1, most: 1, about: [['NAME', 'the app, or the path of a control socket']] } as const;

/** The command `reload`. */
export const reload = defineCommand({
  name: 'reload',
  takes: NAME,
  rest: 'new arguments of the app',
  about: [
    'Replaces all workers: first one, the canary, has to become ready and stay so; then the others, one after another, each new one before the old one leaves. '
    + 'Symlinks in the paths of the script and of the working directory are followed anew. Without options the same script is started again.',
    'What is given here is the new release: it is kept if it works, and forgotten if it does not.',
    'Exit codes: 0 every worker is replaced. 1 the new release does not work, or another command came between; the reason is on stderr, and the old workers serve on. '
    + '3 no such app. 130 Ctrl-C: the reload goes on.',
  ],
  examples: ['cluster-internals reload api', 'cluster-internals reload api --exec /srv/api/2.1/app.js --env VERSION=2.1 || echo "not deployed"'],
  options: { exec: text('SCRIPT', 'another script'), ...RELEASE_OPTIONS, ...WAITING },
  run: async ({ names: [name = ''], values, rest, output }) => {
    const { exec, cwd, env } = values;
    return replace('reload', name, {
      ...(exec === undefined ? {} : { exec: scriptOf(exec) }), ...(cwd === undefined ? {} : { cwd: directoryOf(cwd) }), ...(env === undefined ? {} : { env }),
      ...(values['node-args'] === undefined ? {} : { execArgv: values['node-args'] }), ...(rest.length === 0 ? {} : { args: rest }),
    }, values['no-wait'] !== true, output);
  },
});

/** The command `rollback`. */
export const rollback = defineCommand({
  name: 'rollback',
  takes: NAME,
  about: [
    'Goes back to the release before the last reload: its script, directory, arguments and variables. It is a reload, with a canary, and its exit codes are the same.',
  ],
  examples: ['cluster-internals rollback api'],
  options: WAITING,
  run: async ({ names: [name = ''], values, output }) => replace('rollback', name, {}, values['no-wait'] !== true, output),
});

/** The command `recycle`. */
export const recycle = defineCommand({
  name: 'recycle',
  takes: { text: 'NAME [PLACE]', least: 1, most: 2, about: [...NAME.about, ['PLACE', 'only the worker in this place; status shows the places']] },
  about: ['Replaces workers of the present release one after another, as a worker that is too old is replaced: the new one first.'],
  examples: ['cluster-internals recycle api 2'],
  options: WAITING,
  run: async ({ names: [name = '', place], values, output }) =>
    replace('recycle', name, place === undefined ? {} : { place: wholeNumber(place, 'PLACE', 1, 65_536) }, values['no-wait'] !== true, output),
});

async function replace(method: 'reload' | 'rollback' | 'recycle', name: string, params: object, waits: boolean, output: Output): Promise<number> {
  const began = performance.now();
  return withApp(name, async (app) => {
    let begun: () => void = () => undefined;
    const hasBegun = new Promise<null>((resolve) => { begun = () => resolve(null); });
    const ended = app.call(method, params, {
      onProgress: (event) => {
        begun();
        if (waits) noteProgress(event, output);
      },
    });
    const report = await untilInterrupted(`the ${method} of ${name}`, name, waits ? ended : Promise.race([ended, hasBegun])).catch((error: unknown) => {
      const known = asCommandError(error);
      if (known.code !== 'ERR_CONTROL_CLOSED') throw known;
      throw new CommandError(1, known.code, `the primary of ${name} has ended, or has closed the connection, before the ${method} was done; cluster-internals status ${name} shows what runs`);
    });
    if (report === null && !waits) {
      ended.catch(() => undefined); // This command has not waited for it.
      output.result({ app: name, begun: true }, () => `${name}: the ${method} has begun; cluster-internals status ${name} shows how it goes on`);
      return 0;
    }
    const { outcome } = fieldsOf(report);
    if (outcome === 'superseded') throw new CommandError(1, 'ERR_SUPERSEDED', `${name}: another command came before the ${method} was done; cluster-internals status ${name} shows what runs`);
    output.result(report, () => `${name}: ${method} done, ${reportText(report)} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
    return 0;
  });
}
