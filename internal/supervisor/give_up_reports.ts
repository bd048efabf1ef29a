/**
 * Makes the report of a slot that is given up: how its workers ended, and the last output of the last worker. If no
 * worker could be started, there is no output; then the report has the error of the start, which is also a warning at once.
 *
 * Owns     the last output of each slot that was given up, until a worker is started there
 * Used by  supervisor.ts
 * Keeps    one warning for each slot, until a worker is started there: a cause that stays fails many starts
 */
import { errorText } from './app_calls';
import type { Slot } from './slot';
import type { GivenUp } from './states';
import type { GiveUp } from './status';

/** The reports of one supervisor. */
export class GiveUpReports {
  /** The last output of the last worker of each slot that was given up, by the number of the slot. */
  readonly #lastOutput = new Map<number, string>();
  /** Why the last start failed, by the number of the slot. */
  readonly #startErrors = new Map<number, string>();

  /** A worker was started in this slot. */
  started(slot: number): void {
    this.#lastOutput.delete(slot);
    this.#startErrors.delete(slot);
  }

  /** No worker could be started in this slot. */
  notStarted(slot: number, error: unknown): void {
    const text = errorText(error);
    if (!this.#startErrors.has(slot)) {
      process.emitWarning(`No worker could be started in place ${slot}: ${text.split('\n')[0]}`, { code: 'CLUSTER_INTERNALS_START', detail: text });
    }
    this.#startErrors.set(slot, text);
  }

  /** The event 'giveup', as soon as all output of the last worker has arrived. */
  async report(slot: Slot, what: GivenUp, reason: string): Promise<GiveUp> {
    const { number: place, nextStart, postponement, exits, lastDead } = slot;
    const retryAt = what === 'recycling' ? postponement?.until ?? null : nextStart.is === 'given up' ? nextStart.retryAt : null;
    const stderr = what === 'recycling' ? '' : this.#startErrors.get(place) ?? await lastDead?.stderr() ?? '';
    if (what === 'place') this.#lastOutput.set(place, stderr);
    return { place, what, reason, retryAt, exits, stderr };
  }

  /** The last output of the last worker of a slot that was given up; '' for another slot. */
  lastOutput(slot: number): string {
    return this.#lastOutput.get(slot) ?? '';
  }
}
