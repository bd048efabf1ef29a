/**
 * The slots of a fleet. A fleet with N desired workers has N slots. Workers that leave or have died are in no slot any
 * more; `departing` lists them until their processes are gone.
 *
 * Owns     the list of the slots, and the list of the departing workers
 * Used by  fleet.ts, convergence.ts
 * Keeps    1. a worker is in at most one slot, and it is either in a slot or departing
 *          2. slots are numbered from 1 without a gap
 */
import { Slot, type Occupant } from './slot';
import type { Generation, Member } from './states';

/** A worker that is in no slot any more. `died`: nobody told it to leave. */
export interface Departure {
  readonly occupant: Occupant;
  readonly slot: Slot;
  readonly at: number;
  readonly died: boolean;
  readonly reason: string;
}

/** All slots of a fleet, and the workers that have left them. */
export class Slots {
  readonly #all: Slot[] = [];
  readonly #departing = new Map<Member, Departure>();

  get all(): readonly Slot[] {
    return this.#all;
  }

  /** The workers that are in no slot any more. Their processes may still run. */
  get departing(): readonly Departure[] {
    return [...this.#departing.values()];
  }

  /** Every worker whose process may still run. */
  get members(): Member[] {
    const occupants = this.#all.flatMap(({ current, successor }) => [current, successor]);
    return [...occupants.flatMap((occupant) => (occupant === null ? [] : [occupant.member])), ...this.#departing.keys()];
  }

  /** Adds slots until there are `count`. */
  grow(count: number): void {
    while (this.#all.length < count) this.#all.push(new Slot(this.#all.length + 1));
  }

  /** Removes the last slot if there are more than `count`, and returns it. The caller dismisses the workers in it. */
  shrink(count: number): Slot | undefined {
    return this.#all.length > count ? this.#all.pop() : undefined;
  }

  /** The slot of a worker; nulls if it is in none. */
  find(member: Member): [Slot, Occupant] | [null, null] {
    for (const slot of this.#all) {
      for (const occupant of [slot.current, slot.successor]) if (occupant?.member === member) return [slot, occupant];
    }
    return [null, null];
  }

  /** Takes a worker out of its slot. It is departing until `forget`. */
  remove(departure: Departure): void {
    const { slot, occupant, died } = departure;
    slot.vacate(occupant, died);
    occupant.left();
    this.#departing.set(occupant.member, departure);
  }

  /** The process of a departing worker is gone. Undefined if the worker was not departing. */
  forget(member: Member): Departure | undefined {
    const departure = this.#departing.get(member);
    this.#departing.delete(member);
    if (departure?.died && member.state.is === 'gone') {
      const { code, signal } = member.state;
      departure.slot.recordExit({ code, signal });
    }
    return departure;
  }

  /** Is a worker of another generation still departing? */
  hasOther(generation: Generation): boolean {
    return [...this.#departing.keys()].some((member) => member.generation !== generation);
  }
}
