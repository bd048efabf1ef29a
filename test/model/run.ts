/**
 * npx tsx test/model/run.ts: runs settings of the model check to their end, or to a bound, and prints what was seen. `npm
 * test` runs the small ones.
 *
 * Uses     settings.ts; soak/model_program.ts, in a process of its own: it computes for minutes without a turn of the
 *          event loop, in which a signal would be seen
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { WrongArgument, runTool } from '../support/tool';
import type { Explored } from './explore';
import { small, whole } from './settings';

runTool({
  name: 'model',
  usage: 'npx tsx test/model/run.ts',
  about: 'Visits every state of a small cluster in memory, with the real code of the primary, and checks its\ninvariants in each. At a counterexample it prints the events that lead there; then the exit code is 1.\n--list names the settings.',
  takes: 'from seconds to hours, by the setting (test/README.md has the numbers of states)',
  example: "npx tsx test/model/run.ts --setting 'lives'",
  options: {
    setting: { takes: 'text', about: 'one setting; all of them by default' },
    states: { takes: 'whole number', default: 0, least: 0, about: 'ends after so many states; 0: at the end' },
    memory: { takes: 'whole number', default: 4_000, about: 'megabytes of JavaScript objects: a million states take about 600' },
    list: { takes: 'nothing', about: 'prints the names of the settings, and ends' },
  },
}, async ({ values: { setting, states, memory, list } }) => {
  if (list) return console.log(Object.keys(whole).map((name) => `${name}${name in small ? ' (also in npm test)' : ''}`).join('\n'));
  if (setting !== undefined && !(setting in whole)) throw new WrongArgument(`there is no setting '${setting}': --list names them`);
  for (const name of setting === undefined ? Object.keys(whole) : [setting]) await run(name, states, memory);
});

async function run(setting: string, bound: number, memory: number): Promise<void> {
  const began = performance.now();
  const running = promisify(execFile)(process.execPath, [`--max-old-space-size=${memory}`, '--require', 'tsx/cjs', path.join(__dirname, '../soak/model_program.ts'), JSON.stringify({ setting, states: bound })]);
  running.child.stderr?.pipe(process.stderr);
  const { states, steps, depth, whole: isWhole } = JSON.parse((await running).stdout) as Explored;
  console.log(`${setting}: ${states} states, ${steps} steps, up to ${depth} deep, ${isWhole ? 'all there are' : 'the first ones'}, no counterexample, in ${Math.round((performance.now() - began) / 1000)} s`);
}
