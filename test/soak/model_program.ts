/**
 * node --require tsx/cjs model_program.ts '{"setting":"lives"}': visits every state of one setting of the model
 * check (test/model), and prints how many there are. A counterexample is thrown as an error.
 */
import { explore } from '../model/explore';
import { whole } from '../model/settings';
import type { Setting } from '../model/world';

const { setting } = JSON.parse(process.argv[2] as string) as { setting: string };
console.log(JSON.stringify(explore(whole[setting] as Setting)));
