/**
 * Plays a scenario of test/differential twice on our cluster: as it is, under round robin, and with each such address under
 * `scheduling: 'shared'` (test/fixtures/register_sharing.js). What the program sees must be the same, but for what
 * MAY_DIFFER names.
 *
 * Not compared: which worker takes a connection (`newconn` has no counterpart), `quotas` in a reply and the socket that comes
 * with it, `progress` and `quota` (D64).
 *
 * Used by  same_programs.test.ts (a sample), all_programs.ts (all of them)
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { compare, type Difference } from '../support/differential';
import { root } from '../support/program';
import { runScenario, type Trace } from '../support/scenario_run';
import { scenarioFile, scenarios } from '../support/scenarios';
import type { Traces } from '../support/trace_lines';

const register = path.join(root, 'test/fixtures/register_sharing.js');

const KERNEL = 'the kernel decides which of two idle workers gets a connection, and round robin goes in turn';
const SOCKET = 'the server of a worker has a socket of its own, as under SCHED_NONE';
const WIRE = 'this program plays a worker itself, and takes the reply of round robin, which has no socket';

/** The scenarios that may show something else under `shared`, each with the reason. */
export const MAY_DIFFER: Readonly<Record<string, string>> = {
  'round-robin-order': KERNEL,
  'connections-are-counted': KERNEL,
  'one-closes-others-go-on': KERNEL,
  'http-across-workers': KERNEL,
  'https-ticket-keys': KERNEL,
  'primary-is-killed-in-any-state': `${KERNEL}: a worker that connects to its own address may be the one that serves that`,
  'faux-handle': SOCKET,
  'reuse-port': `${SOCKET}: on Node 20, which does not know reusePort`,
  'worker-sends-its-server': `${SOCKET}, and can send it: the primary then has a server that listens, and does not end`,
  'wire-last-worker-leaves': WIRE,
  'wire-one-at-a-time': WIRE,
  'wire-queries': WIRE,
  'out-of-descriptors': 'the primary needs no fd for a connection: the client that round robin closes is served',
  'disconnect-with-open-connections': 'the socket listens until the last worker has read that it shall leave: a client that comes meanwhile is reset or served, and not refused, as under SCHED_NONE',
  'disconnected-with-a-connection-in-flight': 'a connection that waits in the kernel’s queue when the last worker leaves is reset, as under SCHED_NONE; round robin has sent it to that worker',
};

/** The scenarios of a cluster in which something listens. */
export const listeningScenarios = (): string[] => scenarios().filter((name) => !name.startsWith('fork/') && /listen/i.test(readFileSync(scenarioFile(name), 'utf8')));

/** What a program saw differently under `shared`, and whether it had such an address at all. */
export interface Compared {
  readonly differences: readonly Difference[];
  readonly shared: boolean;
}

/** Plays the scenario under both rules. Rejects if one of them misses the deadline. */
export async function compareRules(scenario: string): Promise<Compared> {
  const file = scenarioFile(scenario);
  const [before, after] = await Promise.all([runScenario(file, { implementation: 'ours' }), runScenario(file, { implementation: 'ours', register })]);
  const shared = [...after.traces.values()].flat().some((line) => line.includes(QUOTAS));
  // A death that only Node's cluster dies is declared in the scenario, and does not happen here.
  const differences = compare(comparable(before), comparable(after), { scenario }).filter(({ where }) => where !== 'deaths');
  return { differences, shared };
}

const QUOTAS = ',"quotas":true';

function comparable(trace: Trace): Trace {
  const traces: Traces = new Map();
  for (const [subject, lines] of trace.traces) {
    if (!subject.endsWith(' newconn')) traces.set(subject, lines.map((line) => (line.includes('reply to queryServer') ? line.replace(QUOTAS, '').replace(/ with a handle$/, '') : line)));
  }
  return { ...trace, traces };
}
