/**
 * Reloads, one at a time: which release is the stable one, which one is on trial with a canary, and which reload
 * waits. A reload first starts one worker of the new release, the canary; when that one is proven, all others follow.
 *
 * Owns     the running reload, the one that waits behind it, and the numbers of the releases
 * Used by  fleet.ts (begins and ends reloads), convergence.ts (starts the canary and replaces outdated workers)
 * States   idle ── begin ──► canary ── roll ──► rolling ── done ──► idle
 *                              └──── abort ───────┴───── abort, supersede ──► idle
 * Keeps    1. the new release is the stable one from `roll` on, and never before
 *          2. all reloads that are asked for while one runs are a single one after it
 */
import type { Occupant } from './slot';
import type { Release } from './release';
import type { Generation, Member } from './states';
import type { Task } from './tasks';

/** What the event 'reload' reports. */
export type ReloadState = 'started' | 'rolling' | 'done' | 'aborted' | 'superseded';

type State =
  | { readonly is: 'idle' }
  /** `canary`: null until it is started. */
  | { readonly is: 'canary'; readonly task: Task; readonly target: Generation; readonly canary: Occupant | null }
  | { readonly is: 'rolling'; readonly task: Task; readonly target: Generation };

/** The reloads of one fleet. */
export class Rollout {
  readonly #resolve: () => Release;
  readonly #emit: (state: ReloadState, generation: Generation, reason: string) => void;
  #state: State = { is: 'idle' };
  #stable: Generation = { number: 0, exec: '', cwd: '' };
  /** The number of the newest release. */
  #last = 0;
  /** The reload that begins when the running one ends. */
  #next: Task | null = null;

  /** `resolve` returns the release as of now, or throws. `emit` is called at each step of a reload. */
  constructor(resolve: () => Release, emit: (state: ReloadState, generation: Generation, reason: string) => void) {
    this.#resolve = resolve;
    this.#emit = emit;
  }

  get is(): State['is'] {
    return this.#state.is;
  }

  /** The stable release: what a worker runs that is no canary. */
  get stable(): Generation {
    return this.#stable;
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

  /** There are no workers: the release as of now becomes the stable one. Throws if it does not exist. */
  renew(): void {
    this.#stable = this.#nextGeneration();
  }

  /** While a reload runs: the task of the one reload after it, which `begin` makes the first time. Otherwise null. */
  queueBehind(begin: () => Task): Task | null {
    return this.#state.is === 'idle' ? null : (this.#next ??= begin());
  }

  /** Begins a reload; fails its task if the release does not exist. */
  begin(task: Task): void {
    try {
      const target = this.#nextGeneration();
      this.#state = { is: 'canary', task, target, canary: null };
      this.#emit('started', target, '');
    } catch (error) {
      const { message } = error as Error;
      this.#emit('aborted', this.#stable, message);
      task.fail('ERR_RELOAD_ABORTED', message);
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
    this.#state = { is: 'rolling', task, target };
    this.#stable = target;
    this.#emit('rolling', target, '');
  }

  /** All workers run the new release. */
  done(): void {
    if (this.#state.is !== 'rolling') throw new Error(`a reload that is ${this.#state.is} cannot be done`);
    const { task, target } = this.#state;
    this.#state = { is: 'idle' };
    this.#emit('done', target, '');
    task.end('done');
    this.#beginNext();
  }

  /** The reload ends here. Workers of the old release serve on; those that were replaced already are not brought back. */
  abort(reason: string): void {
    if (this.#state.is === 'idle') return;
    const { task, target } = this.#state;
    this.#state = { is: 'idle' };
    this.#emit('aborted', target, reason);
    task.fail('ERR_RELOAD_ABORTED', `reload of ${target.exec} aborted: ${reason}`);
    this.#beginNext();
  }

  /** A stop ends the running reload and the waiting one. */
  supersede(): void {
    const state = this.#state;
    const next = this.#next;
    this.#state = { is: 'idle' };
    this.#next = null;
    if (state.is !== 'idle') {
      this.#emit('superseded', state.target, 'stopped');
      state.task.end('superseded');
    }
    next?.end('superseded');
  }

  #beginNext(): void {
    const next = this.#next;
    this.#next = null;
    if (next !== null) this.begin(next);
  }

  #nextGeneration(): Generation {
    const { exec, cwd } = this.#resolve();
    return { number: ++this.#last, exec, cwd };
  }
}
