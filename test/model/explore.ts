/**
 * Takes every event that is possible in every state that a World can come to, each once. The objects of the
 * real code cannot be copied, so the only way back is to play the steps from the beginning again. That is
 * what takes the time, and so a World is led on as long as there is something new where it stands, also from
 * a state that another World has come to before.
 */
import { World, inMemory, type Setting, type Step } from './world';

/** What was seen. */
export interface Explored {
  readonly states: number;
  /** Events that were taken in them. */
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

/** A state that a World was in. */
interface State {
  /** The way that led there first. */
  readonly way: readonly Step[];
  readonly events: number;
  /** How many of its events were taken: the first ones. */
  taken: number;
}

/** Explores all of it. Throws a Counterexample. */
export function explore(setting: Setting): Explored {
  return inMemory(setting, () => {
    const states = new Map<string, State>();
    /** The same by the length of their ways. */
    const byLength: State[][] = [];
    let steps = 0;
    let world = new World(setting);
    let way: Step[] = [];
    for (;;) {
      check(world, way);
      const { hash, events } = world.look();
      let here = states.get(hash);
      if (here === undefined) {
        here = { way: [...way], events: events.length, taken: 0 };
        states.set(hash, here);
        (byLength[way.length] ??= []).push(here);
      }
      must(here.events === events.length, 'in states that are alike the same can happen', way);
      let event = events[here.taken];
      if (event === undefined) {
        const next = shortestOf(byLength);
        if (next === undefined) return { states: states.size, steps, depth: byLength.length - 1 };
        here = next;
        world = replay(setting, here.way);
        way = [...here.way];
        event = world.look().events[here.taken] as Step;
      }
      here.taken++;
      steps++;
      way.push(event);
      take(world, way);
    }
  });
}

/** A state with the shortest way of those in which events are left to be taken. Takes the others off the lists. */
function shortestOf(byLength: readonly State[][]): State | undefined {
  for (const list of byLength) {
    for (let last = list.at(-1); last !== undefined; last = list.at(-1)) {
      if (last.taken < last.events) return last;
      list.pop();
    }
  }
  return undefined;
}

function replay(setting: Setting, way: readonly Step[]): World {
  const world = new World(setting);
  for (let length = 0; length < way.length; length++) take(world, way, length + 1);
  return world;
}

/** Takes the last step of the first `length` ones of this way. */
function take(world: World, way: readonly Step[], length = way.length): void {
  try {
    world.step(way[length - 1] as Step);
  } catch (error) {
    throw new Counterexample((error as Error).stack ?? String(error), way.slice(0, length));
  }
}

function must(holds: boolean, what: string, way: readonly Step[]): void {
  if (!holds) throw new Counterexample(what, way);
}

function check(world: World, way: readonly Step[]): void {
  try {
    world.check();
  } catch (error) {
    throw new Counterexample((error as Error).message, way);
  }
}
