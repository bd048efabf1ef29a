/**
 * Reloads, one at a time: which release is the stable one, which one is on trial with a canary, and which reload
 * waits. A reload first starts one worker of the new release, the canary; when that one is proven, all others follow.
 *
 * A rollback is a reload to a generation that was stable before, with the same paths, arguments, flags and variables:
 *
 *   while …                           it goes to …
 *   no reload runs                    the last generation that differs from the stable one. So two rollbacks in a row go
 *                                     back and forth
 *   a reload runs, canary or rolling  the generation that was stable before that reload, which ends as superseded
 *   a rollback runs                   where that one goes: it is the same rollback
 *
 * Owns     the running reload, the one that waits behind it, the earlier generation, and the numbers of the generations
 * Used by  fleet.ts (begins and ends reloads), convergence.ts (starts the canary and replaces outdated workers)
 * States   idle ── begin, rollBack ──► canary ── roll ──► rolling ── done ──► idle
 *                                        └──── abort ───────┴───── abort, supersede ──► idle
 *          rollBack also ends a reload that is canary or rolling, and begins
 * Keeps    1. the new release is the stable one from `roll` on, and never before. A reload that is aborted before leaves
 *             nothing behind: later workers, and the next reload, start from the stable release
 *          2. all reloads that are asked for while one runs are a single one after it. If they contradict each other, the
 *             latest holds, and the earlier ones are superseded
 *          3. the generation to which a rollback went is stable until the next reload, also when the fleet is stopped and started again
 */
import type { Occupant } from './slot';
import { contradicts, isSameRelease, noChange, type Recipe, type ReleaseChange } from './recipe';
import type { Generation, Member } from './states';
import type { Task } from './tasks';

/** What the event 'reload' reports. */
export type ReloadState = 'started' | 'rolling' | 'done' | 'aborted' | 'superseded';

type State =
  | { readonly is: 'idle' }
  /** `canary`: null until it is started. */
  | { readonly is: 'canary'; readonly task: Task; readonly target: Generation; readonly canary: Occupant | null }
  /** `from`: the generation that was stable before. */
  | { readonly is: 'rolling'; readonly task: Task; readonly target: Generation; readonly from: Generation };

/** The reloads of one fleet. */
export class Rollout {
  readonly #emit: (state: ReloadState, generation: Generation, reason: string) => void;
  #state: State = { is: 'idle' };
  #stable: Generation;
  /** The generation to which a rollback goes while no reload runs; null if there was no other release before the stable one. */
  #earlier: Generation | null = null;
  /** Did a rollback make the stable generation the stable one? */
  #isRolledBack = false;
  /** The number of the newest generation. */
  #last = 0;
  #completed = 0;
  /** The reload that begins when the running one ends. */
  #next: { readonly task: Task; readonly change: ReleaseChange } | null = null;

  /** `recipe` finds the first release. `emit` is called at each step of a reload. */
  constructor(recipe: Recipe, emit: (state: ReloadState, generation: Generation, reason: string) => void) {
    this.#stable = { number: 0, exec: '', cwd: '', args: [], execArgv: [], env: {}, recipe };
    this.#emit = emit;
  }

  get is(): State['is'] {
    return this.#state.is;
  }

  /** The stable release: what a worker runs that is no canary. */
  get stable(): Generation {
    return this.#stable;
  }

  /** The generation to which a rollback goes while no reload runs; null if there was no other release before the stable one. */
  get earlier(): Generation | null {
    return this.#earlier;
  }

  /** How many reloads and rollbacks have reached their goal. */
  get completed(): number {
    return this.#completed;
  }

  /** The rollback that runs; null if none does. */
  get rollingBack(): Task | null {
    return this.#state.is !== 'idle' && this.#state.task.command === 'rollback' ? this.#state.task : null;
  }

  /** The release whose canary has to be started; null if none has to be. */
  get wantsCanary(): Generation | null {
    return this.#state.is === 'canary' && this.#state.canary === null ? this.#state.target : null;
  }

  /** The canary, while it starts or is on trial. */
  get canary(): Occupant | null {
    return this.#state.is === 'canary' ? this.#state.canary : null;
  }

  isCanary(occupant: Occupant): boolean {
    return this.canary === occupant;
  }

  /** Does the reload that is rolling have to replace this worker? */
  isOutdated({ generation }: Member): boolean {
    return this.#state.is === 'rolling' && generation !== this.#stable;
  }

  /** There are no workers: the release as of now becomes the stable one, unless a rollback has made that. Throws if it does not exist. */
  renew(): void {
    if (this.#isRolledBack) this.#stable.recipe.check(this.#stable);
    else this.#setStable(this.#nextGeneration(noChange));
  }

  /** While a reload runs: the task of the one reload after it, which `begin` makes if a new one is needed. Otherwise null. */
  queueBehind(change: ReleaseChange, begin: () => Task): Task | null {
    if (this.#state.is === 'idle') return null;
    const waiting = this.#next;
    const isAnother = waiting === null || contradicts(waiting.change, change);
    if (isAnother) waiting?.task.end('superseded');
    const task = isAnother ? begin() : waiting.task;
    this.#next = { task, change: { ...waiting?.change, ...change } };
    return task;
  }

  /** Begins a reload; fails its task if the release does not exist. */
  begin(task: Task, change: ReleaseChange): void {
    this.#beginWith(task, () => this.#nextGeneration(change));
  }

  /**
   * Ends the running reload and the waiting one, begins a rollback, and returns where it goes. If there is nothing to go
   * to, it fails the task, changes nothing else, and returns null.
   */
  rollBack(task: Task): Generation | null {
    const state = this.#state;
    const target = state.is === 'idle' ? this.#earlier : state.is === 'canary' ? this.#stable : state.from;
    if (target === null) {
      task.fail('ERR_NO_EARLIER_RELEASE', `there is nothing to roll back to: before ${this.#stable.exec} no other script, directory, arguments, flags or variables were used`);
      return null;
    }
    return this.#beginWith(task, () => {
      target.recipe.check(target);
      this.supersede('rolled back');
      return target;
    });
  }

  /** A rollback that is asked for while one runs: no reload follows it any more. */
  forgetNext(): void {
    this.#next?.task.end('superseded');
    this.#next = null;
  }

  /** `find` returns the target, or throws if that does not exist. Returns the target, or null. */
  #beginWith(task: Task, find: () => Generation): Generation | null {
    try {
      const target = find();
      this.#state = { is: 'canary', task, target, canary: null };
      this.#emit('started', target, '');
      return target;
    } catch (error) {
      const { message } = error as Error;
      this.#emit('aborted', this.#stable, message);
      task.fail('ERR_RELOAD_ABORTED', message);
      return null;
    }
  }

  canaryStarted(canary: Occupant): void {
    this.#setCanary(canary);
  }

  /** The canary was told to leave before it was proven: another one is needed. */
  canaryDismissed(): void {
    this.#setCanary(null);
  }

  #setCanary(canary: Occupant | null): void {
    if (this.#state.is === 'canary') this.#state = { ...this.#state, canary };
  }

  /** The canary is proven, or there is nobody to replace: the new release is the stable one from now on. */
  roll(): void {
    if (this.#state.is !== 'canary') throw new Error(`a reload that is ${this.#state.is} cannot roll`);
    const { task, target } = this.#state;
    this.#state = { is: 'rolling', task, target, from: this.#stable };
    this.#isRolledBack = task.command === 'rollback';
    this.#setStable(target);
    this.#emit('rolling', target, '');
  }

  #setStable(generation: Generation): void {
    if (this.#stable.number > 0 && !isSameRelease(this.#stable, generation)) this.#earlier = this.#stable;
    this.#stable = generation;
  }

  /** All workers run the new release. */
  done(): void {
    if (this.#state.is !== 'rolling') throw new Error(`a reload that is ${this.#state.is} cannot be done`);
    const { task, target } = this.#state;
    this.#state = { is: 'idle' };
    this.#completed++;
    this.#emit('done', target, '');
    task.end('done');
    this.#beginNext();
  }

  /**
   * The reload ends here. Workers of the old release serve on; those that were replaced already are not brought back.
   * `lastWords`: the last output of the worker that is to blame.
   */
  abort(reason: string, lastWords?: Promise<string>): void {
    if (this.#state.is === 'idle') return;
    const { task, target } = this.#state;
    this.#state = { is: 'idle' };
    this.#emit('aborted', target, reason);
    task.fail('ERR_RELOAD_ABORTED', `${task.command === 'rollback' ? 'rollback to' : 'reload of'} ${target.exec} aborted: ${reason}`, lastWords);
    this.#beginNext();
  }

  /** A stop or a rollback, which is the `reason`, ends the running reload and the waiting one. */
  supersede(reason: 'stopped' | 'rolled back'): void {
    const state = this.#state;
    this.#state = { is: 'idle' };
    if (state.is !== 'idle') {
      this.#emit('superseded', state.target, reason);
      state.task.end('superseded');
    }
    this.forgetNext();
  }

  #beginNext(): void {
    const next = this.#next;
    this.#next = null;
    if (next !== null) this.begin(next.task, next.change);
  }

  #nextGeneration(change: ReleaseChange): Generation {
    const release = this.#stable.recipe.with(change).release();
    return { number: ++this.#last, ...release };
  }
}
