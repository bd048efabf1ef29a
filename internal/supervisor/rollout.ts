/**
 * Reloads, one at a time: which release is the present one, which is on trial, and who waits.
 *
 * Owns     the running reload, the one after it, and the numbers of the releases
 * Used by  fleet.ts, which starts and dismisses workers
 * States   idle ── begin ──► canary ── roll ──► rolling ── done ──► idle
 *                              └──── abort ───────┴───── abort, supersede ──► idle
 * Keeps    1. the present release is the new one from `roll` on, and never before
 *          2. reloads asked for while one runs are one more after it
 */
import type { Track } from './slots';
import type { Release } from './release';
import type { Generation } from './states';
import type { Task } from './tasks';

/** What is told of a reload. */
export type ReloadState = 'started' | 'rolling' | 'done' | 'aborted' | 'superseded';

type State =
  | { readonly is: 'idle' }
  | { readonly is: 'canary'; readonly task: Task; readonly target: Generation; readonly track: Track | null }
  | { readonly is: 'rolling'; readonly task: Task; readonly target: Generation };

/** The reloads of one fleet. */
export class Rollout {
  readonly #resolve: () => Release;
  readonly #tell: (state: ReloadState, generation: Generation, reason: string) => void;
  #state: State = { is: 'idle' };
  #stable: Generation = { number: 0, exec: '', cwd: '' };
  #last = 0;
  #next: Task | null = null;

  /** `resolve` gives the release as of now, or throws. */
  constructor(resolve: () => Release, tell: (state: ReloadState, generation: Generation, reason: string) => void) {
    this.#resolve = resolve;
    this.#tell = tell;
  }

  get is(): State['is'] {
    return this.#state.is;
  }

  /** The present release: what a new worker runs. */
  get stable(): Generation {
    return this.#stable;
  }

  /** The release on trial, if its canary has to be started. */
  get wantsCanary(): Generation | null {
    return this.#state.is === 'canary' && this.#state.track === null ? this.#state.target : null;
  }

  /** Before the first workers, and when there are none: the release of today. Throws if it is not there. */
  renew(): void {
    this.#stable = this.#generation();
  }

  /** Queues a reload behind the running one; null if none runs. */
  behind(begin: () => Task): Task | null {
    return this.#state.is === 'idle' ? null : (this.#next ??= begin());
  }

  begin(task: Task): void {
    try {
      const target = this.#generation();
      this.#state = { is: 'canary', task, target, track: null };
      this.#tell('started', target, '');
    } catch (error) {
      const { message } = error as Error;
      this.#tell('aborted', this.#stable, message);
      task.fail('ERR_RELOAD_ABORTED', message);
    }
  }

  /** The canary is on its way; null: it has to be started anew. */
  sent(track: Track | null): void {
    if (this.#state.is === 'canary') this.#state = { ...this.#state, track };
  }

  /** The canary on its way, or on trial. */
  get canary(): Track | null {
    return this.#state.is === 'canary' ? this.#state.track : null;
  }

  isCanary(track: Track): boolean {
    return this.#state.is === 'canary' && this.#state.track === track;
  }

  /** Is it of an older release than the one that is being rolled out? */
  isOutdated({ member }: Track): boolean {
    return this.#state.is === 'rolling' && member.generation !== this.#stable;
  }

  /** The canary is proven. */
  roll(): void {
    if (this.#state.is !== 'canary') throw new Error(`a reload that is ${this.#state.is} cannot roll`);
    const { task, target } = this.#state;
    this.#state = { is: 'rolling', task, target };
    this.#stable = target;
    this.#tell('rolling', target, '');
  }

  done(): void {
    if (this.#state.is !== 'rolling') throw new Error(`a reload that is ${this.#state.is} cannot be done`);
    const { task, target } = this.#state;
    this.#state = { is: 'idle' };
    this.#tell('done', target, '');
    task.end('done');
    this.#beginNext();
  }

  abort(reason: string): void {
    if (this.#state.is === 'idle') return;
    const { task, target } = this.#state;
    this.#state = { is: 'idle' };
    this.#tell('aborted', target, reason);
    task.fail('ERR_RELOAD_ABORTED', `reload of ${target.exec} aborted: ${reason}`);
    this.#beginNext();
  }

  /** Nothing is wanted any more. */
  supersede(): void {
    const state = this.#state;
    const next = this.#next;
    this.#state = { is: 'idle' };
    this.#next = null;
    if (state.is !== 'idle') {
      this.#tell('superseded', state.target, 'stopped');
      state.task.end('superseded');
    }
    next?.end('superseded');
  }

  #beginNext(): void {
    const next = this.#next;
    this.#next = null;
    if (next !== null) this.begin(next);
  }

  #generation(): Generation {
    const { exec, cwd } = this.#resolve();
    return { number: ++this.#last, exec, cwd };
  }
}
