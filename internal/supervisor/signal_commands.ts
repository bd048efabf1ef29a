/**
 * Turns the signals that the primary gets into commands of its supervisor. lib/README.md lists them.
 *
 *   off ── obey ──► commands ── ignore ──► off ── obeyLast (a signal has stopped all workers) ──► last ── endLast ──► off
 *
 *   last: SIGTERM and SIGINT end this process at once
 *
 * Owns     the signal handlers, from `obey` to `ignore` and from `obeyLast` to `endLast`
 * Used by  supervisor.ts
 * Uses     signal_handlers.ts, stop_requests.ts (is it the same request once more?), terminal.ts (who has sent SIGHUP?)
 * Never    throws because a command has failed: the event of that command reports it
 */
import { epochClock } from '../clock';
import type { CheckedOptions } from './options';
import { SignalHandlers } from './signal_handlers';
import { StopRequests } from './stop_requests';
import { Terminal } from './terminal';

/** The commands of a supervisor that signals give. */
export interface SignalPorts {
  /** How many workers are to run. */
  desired(): number;
  reload(): Promise<unknown>;
  upgrade(): Promise<unknown>;
  scale(count: number): Promise<unknown>;
  /** `now`: without waiting for requests. */
  stop(now: boolean): Promise<unknown>;
  /** The process ends, whatever it still has to do. */
  exitNow(): void;
}

/** The signals of one supervisor. */
export class SignalCommands {
  readonly #ports: SignalPorts;
  readonly #commands: SignalHandlers;
  readonly #last: SignalHandlers;
  readonly #stopRequests = new StopRequests();
  /** null: this supervisor does not obey signals. */
  readonly #terminal: Terminal | null;

  constructor({ signals, upgradeSignal, maxWorkers }: Pick<CheckedOptions, 'signals' | 'upgradeSignal' | 'maxWorkers'>, ports: SignalPorts) {
    this.#ports = ports;
    this.#terminal = signals ? new Terminal() : null;
    const run = (command: Promise<unknown>): void => void command.catch(() => undefined); // An event reports it.
    this.#commands = new SignalHandlers({
      SIGHUP: () => (this.#terminal?.isGone === true ? this.#terminalIsGone() : run(ports.reload())),
      SIGTERM: () => this.#stop(),
      SIGINT: () => this.#stop(),
      ...(upgradeSignal ? { SIGUSR2: () => run(ports.upgrade()) } : {}),
      SIGTTIN: () => run(ports.scale(Math.min(maxWorkers, ports.desired() + 1))),
      SIGTTOU: () => run(ports.scale(Math.max(1, ports.desired() - 1))),
    });
    const again = (): void => { if (this.#stopRequests.next(epochClock.now()) === 'now') ports.exitNow(); };
    this.#last = new SignalHandlers({ SIGTERM: again, SIGINT: again });
  }

  /** Obeys from now on, if the supervisor has the option `signals`. */
  obey(): void {
    if (this.#terminal !== null) this.#commands.listen();
  }

  /** Signals have their default actions again. */
  ignore(): void {
    this.#commands.ignore();
  }

  /** All workers are gone: a signal that comes once more must not end this process by its default action, with the wrong code. */
  obeyLast(): void {
    this.#last.listen();
  }

  /** Workers start again. */
  endLast(): void {
    this.#last.ignore();
  }

  /** SIGTERM or SIGINT. A second one kills the workers; stop_requests.ts says which signal counts as a second one. */
  #stop(): void {
    if (this.#ports.desired() > 0) this.#stopRequests.forget();
    const request = this.#stopRequests.next(epochClock.now());
    if (request !== 'same') void this.#ports.stop(request === 'now');
  }

  #terminalIsGone(): void {
    if (this.#ports.desired() > 0) this.#stop();
  }
}
