/**
 * The two state machines that matter, in every order of events: a connection's place and a worker's
 * life, the real code of the primary in a world of objects (world.ts). A counterexample is printed as
 * the events that lead to it.
 */
import { expect, test } from 'vitest';
import { explore } from './explore';
import { small } from './settings';

/** Milliseconds. It waits for nothing, it computes: on a machine with other work to do for minutes. */
const timeout = 600_000;

for (const [name, setting] of Object.entries(small)) {
  test(name, { timeout }, () => {
    const { states, steps, depth } = explore(setting);
    console.log(`${states} states, ${steps} steps, up to ${depth} deep: ${name}`);
    expect(states).toBeGreaterThan(1000);
  });
}
