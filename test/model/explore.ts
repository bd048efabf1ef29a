/**
 * Visits every state that a World can come to, each once: depth first, and back by playing the steps
 * from the beginning again, since the objects of the real code cannot be copied.
 */
import { World, inMemory, type Setting, type Step } from './world';

/** What was seen. */
export interface Explored {
  readonly states: number;
  readonly steps: number;
  /** The longest way to a state that was new. */
  readonly depth: number;
}

/** A promise that did not hold, and the way there. */
export class Counterexample extends Error {
  constructor(readonly what: string, readonly way: readonly Step[]) {
    super(`${what}\n  after ${way.join(' → ')}`);
  }
}

/** Explores all of it. Throws a Counterexample. */
export function explore(setting: Setting): Explored {
  return inMemory(setting, () => {
    const seen = new Set<string>();
    const open: Step[][] = [[]];
    let steps = 0;
    let depth = 0;
    for (let way = open.pop(); way !== undefined; way = open.pop()) {
      const world = replay(setting, way);
      if (way.length > 0) steps++;
      check(world, way);
      let hash = world.hash();
      // On from here as far as it is new, with this world; the other ways from here are for later.
      while (!seen.has(hash)) {
        seen.add(hash);
        depth = Math.max(depth, way.length);
        const [first, ...others] = world.enabled();
        for (const other of others) open.push([...way, other]);
        if (first === undefined) break;
        way = [...way, first];
        steps++;
        take(world, way);
        check(world, way);
        hash = world.hash();
      }
    }
    return { states: seen.size, steps, depth };
  });
}

function replay(setting: Setting, way: readonly Step[]): World {
  const world = new World(setting);
  for (let length = 1; length <= way.length; length++) take(world, way.slice(0, length));
  return world;
}

function take(world: World, way: readonly Step[]): void {
  try {
    world.step(way[way.length - 1] as Step);
  } catch (error) {
    throw new Counterexample((error as Error).stack ?? String(error), way);
  }
}

function check(world: World, way: readonly Step[]): void {
  try {
    world.check();
  } catch (error) {
    throw new Counterexample((error as Error).message, way);
  }
}
