/**
 * The scenarios of test/differential: their names, their files, and the clauses of SPEC.md that each of them covers.
 */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { dist, root } from './program';

/** Programs that use `node:cluster`. */
export const scenarioDirectory = path.join(root, 'test/differential/scenarios');
/** Programs that use `child_process.fork` and no cluster; their names begin with "fork/". */
const forkDirectory = path.join(root, 'test/differential/scenarios_fork');
const FORK = 'fork/';

/** The names of all scenarios, without the programs that some of them start. */
export function scenarios(): string[] {
  const programs = (directory: string): string[] => readdirSync(directory).filter((name) => name.endsWith('.js')).map((name) => name.slice(0, -3)).sort();
  return [...programs(scenarioDirectory), ...programs(forkDirectory).map((name) => FORK + name)];
}

export const scenarioFile = (name: string): string =>
  name.startsWith(FORK) ? path.join(forkDirectory, `${name.slice(FORK.length)}.js`) : path.join(scenarioDirectory, `${name}.js`);

/** What puts ours in the place of Node's in this program. */
export const registerFor = (file: string): string => dist(path.dirname(file) === forkDirectory ? 'lib/register_fork.js' : 'lib/register.js');

/** The clauses that a scenario says it covers, from its first line. */
export function coveredClauses(name: string): string[] {
  const [first = ''] = readFileSync(scenarioFile(name), 'utf8').split('\n');
  const match = first.match(/^\/\/ Covers: ([A-Z]+-\d+\w?(?:, [A-Z]+-\d+\w?)*)$/);
  if (match === null) throw new Error(`${name}.js does not begin with '// Covers: P-2, P-3'`);
  return (match[1] as string).split(', ');
}

/** What a scenario is about, in its own words: the comment behind its first line. */
export function describes(name: string): string {
  const lines = readFileSync(scenarioFile(name), 'utf8').split('\n').slice(1);
  const end = lines.findIndex((line) => !line.startsWith('// ') || /^\/\/ (Dies|Node's channel)\b/.test(line));
  return lines.slice(0, end).map((line) => line.slice(3)).join(' ');
}
