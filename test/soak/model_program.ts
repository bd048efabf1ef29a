/**
 * node --require tsx/cjs model_program.ts '{"setting":"lives","states":0}': visits every state of one setting of the model
 * check (test/model), or the first `states` ones unless that is 0 or missing, and prints how many there are. Each hundred
 * thousand are told on stderr. A counterexample is thrown as an error.
 */
import { explore, type Explored } from '../model/explore';
import { whole } from '../model/settings';
import type { Setting } from '../model/world';

const { setting, states = 0 } = JSON.parse(process.argv[2] as string) as { setting: string; states?: number };
/** A look at the bound after so many states, and a line on stderr after so many of those. */
const [EVERY, LINE] = [10_000, 10];
let looks = 0;

function tell({ states: seen, steps, depth }: Explored): boolean {
  if (++looks % LINE === 0) console.error(`${new Date().toISOString()} ${setting}: ${seen} states, ${steps} steps, up to ${depth} deep`);
  return states > 0 && seen >= states;
}

console.log(JSON.stringify(explore(whole[setting] as Setting, { every: EVERY, tell })));
