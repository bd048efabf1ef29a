/**
 * Has the app started? The first time that its workers do not become ready, a person waits for the answer, and the
 * restart budget would make them wait for half a minute. So a start that a person asked for fails early.
 *
 *   all workers are ready                                             started
 *   MOST_FAILURES workers of one slot have ended, and none was ready  failed
 *   a worker ends after the time in which it should be ready          failed
 *   the supervisor gives a slot up                                    failed
 *
 * Used by  app_primary.ts
 */
import type { EpochClock } from '../../clock';
import type { Supervisor } from '../../supervisor/supervisor';
import type { Transition } from '../../supervisor/status';

/** So many failures of one slot are no accident: a script that throws does so three times within a second. */
const MOST_FAILURES = 3;

/** When a start counts as failed. */
export interface StartRule {
  /** A person waits. Otherwise the restart budget alone decides. */
  readonly isStrict: boolean;
  readonly readyTimeoutMs: number;
}

/** Resolves to null when all workers have been ready, or to the reason why that does not happen. */
export function firstStart(supervisor: Supervisor, { isStrict, readyTimeoutMs }: StartRule, clock: EpochClock): Promise<string | null> {
  const deadline = clock.now() + readyTimeoutMs;
  const failures = new Map<number, number>();
  const wereReady = new Set<number>();
  return new Promise((resolve) => {
    const end = (result: string | null): void => {
      supervisor.off('transition', watch);
      resolve(result);
    };
    const watch = ({ place, worker, state }: Transition): void => {
      if (worker === null) return;
      if (state.is === 'ready') wereReady.add(worker);
      if (state.is !== 'gone' || wereReady.has(worker)) return;
      const count = (failures.get(place) ?? 0) + 1;
      failures.set(place, count);
      if (count >= MOST_FAILURES) end(`${count} workers in a row ended before they were ready; the last one: ${state.reason}`);
      else if (clock.now() >= deadline) end(`a worker did not become ready: ${state.reason}`);
    };
    if (isStrict) supervisor.on('transition', watch);
    supervisor.started.then(() => end(null), (error: unknown) => end(error instanceof Error ? error.message : String(error)));
  });
}
