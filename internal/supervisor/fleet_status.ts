/**
 * Describes a fleet at one moment, for `status()`.
 *
 * Used by  supervisor.ts
 * Never    changes anything
 */
import type { Fleet } from './fleet';
import type { Occupant, Slot } from './slot';
import type { Generation, Member } from './states';
import type { ReleaseStatus, Status, WorkerStatus } from './status';

/** The result of `status()` at `now`. `moved` is the number of moves in all. `lastOutput` returns the end of the output of the last worker of a slot that was given up. */
export function fleetStatus(fleet: Fleet, now: number, moved: number | null, lastOutput: (slot: number) => string): Status {
  const { slots: { all, departing }, rollout, desired } = fleet;
  const of = (occupant: Occupant, slot: Slot, role: WorkerStatus['role']): WorkerStatus => ({ ...worker(occupant, now), restarts: slot.restarts, role });
  const vacant = (slot: Slot): WorkerStatus[] => {
    const state = fleet.vacancy(slot);
    if (slot.current !== null || state === null) return [];
    return [{ ...nobody, place: slot.number, restarts: slot.restarts, state: state.is === 'given up' ? { ...state, stderr: lastOutput(slot.number) } : state }];
  };
  const placed = all.flatMap((slot): WorkerStatus[] => [
    ...vacant(slot),
    ...(slot.current === null ? [] : [of(slot.current, slot, 'current')]),
    ...(slot.successor === null ? [] : [of(slot.successor, slot, 'successor')]),
  ]);
  const { stable, earlier } = rollout;
  return {
    desired,
    ready: placed.filter(({ state }) => state.is === 'ready').length,
    stopping: desired === 0 && departing.length > 0,
    reload: rollout.is,
    ...release(stable),
    earlier: earlier === null ? null : release(earlier),
    moved,
    restarts: fleet.restarted,
    reloads: rollout.completed,
    workers: [...placed, ...departing.map(({ occupant, slot }) => of(occupant, slot, 'leaving'))],
  };
}

/** The names of a worker in the status and in events. */
export const nameOf = ({ slot, id, pid, generation }: Member): Pick<WorkerStatus, 'place' | 'worker' | 'pid' | 'generation'> =>
  ({ place: slot, worker: id, pid: pid ?? null, generation: generation.number });

const noFigures = { connections: null, requests: null, rss: null, cpu: null, eventLoopDelayMs: null } as const;
const nobody = { worker: null, pid: null, generation: null, role: 'current', uptimeMs: null, readyAt: null, moved: null, ...noFigures } as const;

const worker = ({ member, startedAt, readyAt }: Occupant, now: number): Omit<WorkerStatus, 'restarts' | 'role'> =>
  ({ ...nameOf(member), state: member.state, uptimeMs: Math.round(now - startedAt), readyAt, moved: member.moved, ...(member.figures ?? noFigures) });

const release = ({ number: generation, exec, cwd, args, execArgv }: Generation): ReleaseStatus =>
  ({ generation, exec, cwd, args, execArgv });
