/**
 * Takes every event that is possible in every state that a World can come to, each once. The objects of the
 * real code cannot be copied, so the only way back is to play the steps from the beginning again. That is
 * what takes the time, and so a World is led on as long as there is something new where it stands, also from
 * a state that another World has come to before.
 */
import { createHash } from 'node:crypto';
import { World, inMemory, type Setting, type Step } from './world';

/** What was seen. */
export interface Explored {
  readonly states: number;
  /** Events that were taken in them. */
  readonly steps: number;
  /** The longest way to a state that was new. */
  readonly depth: number;
  /** Was every event of every state taken? False only if `Limits` has ended it. */
  readonly whole: boolean;
}

/** How far it goes, and who is told. */
export interface Limits {
  /** Called after each `every` new states. Returns true to end here. */
  readonly every: number;
  tell(seen: Explored): boolean;
}

/** A promise that did not hold, and the way there. */
export class Counterexample extends Error {
  constructor(readonly what: string, readonly way: readonly Step[]) {
    super(`${what}\n  after ${way.join(' → ')}`);
  }
}

/** The steps of a World, the last one first. Ways share their beginnings: millions of them are kept. */
interface Way {
  readonly step: Step;
  readonly before: Way | null;
  readonly length: number;
}

/** A state that a World was in. */
interface State {
  /** The way that led there first. */
  readonly way: Way | null;
  readonly events: number;
  /** How many of its events were taken: the first ones. */
  taken: number;
}

/** Explores all of it. Throws a Counterexample. */
export function explore(setting: Setting, limits?: Limits): Explored {
  return inMemory(setting, () => {
    const states = new Map<string, State>();
    /** The same by the length of their ways. */
    const byLength: State[][] = [];
    let steps = 0;
    let world = new World(setting);
    let way: Way | null = null;
    const seen = (whole: boolean): Explored => ({ states: states.size, steps, depth: byLength.length - 1, whole });
    for (;;) {
      check(world, way);
      const { hash, events } = world.look();
      const digest = digestOf(hash);
      let here = states.get(digest);
      if (here === undefined) {
        here = { way, events: events.length, taken: 0 };
        states.set(digest, here);
        (byLength[lengthOf(way)] ??= []).push(here);
        if (limits !== undefined && states.size % limits.every === 0 && limits.tell(seen(false))) return seen(false);
      }
      if (here.events !== events.length) throw new Counterexample('in states that are alike the same can happen', stepsOf(way));
      let event: Step | undefined = events[here.taken];
      if (event === undefined) {
        const next = shortestOf(byLength);
        if (next === undefined) return seen(true);
        here = next;
        way = here.way;
        world = replay(setting, stepsOf(way));
        event = world.look().events[here.taken] as Step;
      }
      here.taken++;
      steps++;
      way = { step: event, before: way, length: lengthOf(way) + 1 };
      take(world, event, way);
    }
  });
}

/** A digest in place of the line of a state, which is longer the more there is in it. */
const digestOf = (hash: string): string => createHash('sha1').update(hash).digest('base64');

const lengthOf = (way: Way | null): number => way?.length ?? 0;

function stepsOf(way: Way | null): Step[] {
  const steps: Step[] = [];
  for (let one = way; one !== null; one = one.before) steps.push(one.step);
  return steps.reverse();
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

function replay(setting: Setting, steps: readonly Step[]): World {
  const world = new World(setting);
  let way: Way | null = null;
  for (const step of steps) {
    way = { step, before: way, length: lengthOf(way) + 1 };
    take(world, step, way);
  }
  return world;
}

/** Takes the last step of this way. */
function take(world: World, step: Step, way: Way): void {
  try {
    world.step(step);
  } catch (error) {
    throw new Counterexample((error as Error).stack ?? String(error), stepsOf(way));
  }
}

function check(world: World, way: Way | null): void {
  try {
    world.check();
  } catch (error) {
    throw new Counterexample((error as Error).message, stepsOf(way));
  }
}
