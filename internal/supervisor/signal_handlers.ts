/**
 * A set of signal handlers that is switched on and off as a whole. Nothing is installed before `listen`.
 *
 * Owns     one listener of `process` for each signal, from `listen` to `ignore`
 * Used by  signal_commands.ts
 */
import { attach, detach } from './app_calls';

/** What to do at each signal. */
export type Handlers = Partial<Record<NodeJS.Signals, () => void>>;

/** The handlers, on or off. */
export class SignalHandlers {
  readonly #handlers: [NodeJS.Signals, () => void][];
  #isListening = false;

  constructor(handlers: Handlers) {
    this.#handlers = Object.entries(handlers) as [NodeJS.Signals, () => void][];
  }

  listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    for (const [signal, handler] of this.#handlers) attach(process, signal, handler);
  }

  ignore(): void {
    this.#isListening = false;
    for (const [signal, handler] of this.#handlers) detach(process, signal, handler);
  }
}
