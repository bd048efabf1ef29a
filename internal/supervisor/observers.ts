/**
 * Shows the events of a supervisor to the code that operates it (internal/operate). An observer is called before the
 * listeners of the program. Unlike a listener it cannot be removed by the program, nor can a listener that throws keep an
 * event from it. This is no member of the supervisor, since it is not for programs.
 *
 * Used by  supervisor.ts and operate/metrics/endpoints.ts (call them); operate/control/events.ts,
 *          operate/metrics/reader.ts, operate/systemd/service.ts
 * Owns     the observers of each supervisor, as long as that exists
 */
import type { SupervisorEvent } from './status';

/** Is called with each event. It must not throw. */
export type Observer = (event: SupervisorEvent) => void;

const observers = new WeakMap<object, Observer[]>();

/** From now on `observer` is called with each event of this supervisor. */
export function observe(supervisor: object, observer: Observer): void {
  observers.set(supervisor, [...(observers.get(supervisor) ?? []), observer]);
}

/** Calls all observers of this supervisor. */
export function showToObservers(supervisor: object, event: SupervisorEvent): void {
  for (const observer of observers.get(supervisor) ?? []) observer(event);
}
