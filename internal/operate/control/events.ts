/**
 * The events of a supervisor for the clients of its control socket: each as one plain object that can be written as JSON.
 *
 * Owns     the table of those who listen. `observe` of the supervisor gets one observer, for ever
 * Used by  methods.ts, app_control.ts
 * Never    lets a listener of the program come between: the supervisor calls its observers before it emits an event
 */
import type { SupervisorEvent } from '../../supervisor/status';
import { observe } from '../../supervisor/observers';
import type { Supervisor } from '../../supervisor/supervisor';
import { refusalOf } from './errors';

/** An event on the wire: its name, and the fields of its argument. See SupervisorEvents. */
export interface EventMessage {
  readonly event: SupervisorEvent[0];
  readonly [field: string]: unknown;
}

function messageOf([event, value]: SupervisorEvent): EventMessage {
  if (value instanceof Error) return { event, ...refusalOf(value) };
  return { event, ...value };
}

/** The listeners of the control socket to the events of one supervisor. */
export class SupervisorFeed {
  readonly #listeners = new Set<(message: EventMessage) => void>();

  constructor(supervisor: Supervisor) {
    observe(supervisor, (event) => {
      if (this.#listeners.size === 0) return;
      const message = messageOf(event);
      for (const listener of [...this.#listeners]) listener(message);
    });
  }

  /** Calls `listener`, which must not throw, with each event from now on. Returns a function that ends this. */
  add(listener: (message: EventMessage) => void): () => void {
    // A function of its own, so that one function may be added twice.
    const own = (message: EventMessage): void => listener(message);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }
}
