/**
 * The `recycle` commands that are not finished yet: which workers each of them replaces.
 *
 * Used by  fleet.ts
 * Keeps    a command has reached its goal when the workers of then are gone, and the slots that are still there are
 *          served. It does not matter why a worker went: it may have died meanwhile, or a reload may have replaced it
 */
import type { Slot } from './slot';
import type { Slots } from './slots';
import type { Member } from './states';
import type { Task } from './tasks';

/** The recycle commands of one fleet. */
export class RecycleCommands {
  readonly #slots: Slots;
  readonly #open = new Map<Task, { readonly slots: readonly Slot[]; readonly members: readonly Member[] }>();

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  /** `task` is done when the current workers of these slots are replaced. */
  add(task: Task, slots: readonly Slot[]): void {
    this.#open.set(task, { slots, members: slots.flatMap(({ current }) => (current === null ? [] : [current.member])) });
  }

  /** Resolves the promises of the commands that have reached their goal. */
  finish(): void {
    const { all, members } = this.#slots;
    for (const [task, { slots, members: replaced }] of this.#open) {
      const isServed = slots.every((slot) => slot.isServed || !all.includes(slot));
      if (!isServed || replaced.some((member) => members.includes(member))) continue;
      this.#open.delete(task);
      task.end('done');
    }
  }

  /** This slot, or the replacement of its worker, was given up. */
  gaveUp(slot: Slot, reason: string): void {
    for (const [task, { slots }] of this.#open) {
      if (!slots.includes(slot)) continue;
      this.#open.delete(task);
      task.fail('ERR_GIVEN_UP', reason, slot.lastDead?.stderr());
    }
  }

  /** All workers are told to stop. */
  supersede(): void {
    for (const task of this.#open.keys()) task.end('superseded');
    this.#open.clear();
  }
}
