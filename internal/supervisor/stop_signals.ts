/**
 * The signals that a primary obeys. Nothing is installed before `listen`.
 *
 * Owns     one handler per signal, from `listen` to `ignore`
 * Used by  supervisor.ts
 */
import { attach, detach } from './app_calls';

/** What to do at each signal. */
export type Handlers = Partial<Record<NodeJS.Signals, () => void>>;

/** A set of handlers, on or off. */
export class Signals {
  readonly #handlers: [NodeJS.Signals, () => void][];
  #listening = false;

  constructor(handlers: Handlers) {
    this.#handlers = Object.entries(handlers) as [NodeJS.Signals, () => void][];
  }

  listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    for (const [signal, handler] of this.#handlers) attach(process, signal, handler);
  }

  ignore(): void {
    this.#listening = false;
    for (const [signal, handler] of this.#handlers) detach(process, signal, handler);
  }
}
