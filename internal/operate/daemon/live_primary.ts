/**
 * The primary of an app that answers at its control socket, whoever has started it.
 *
 * Owns     the connection. Its end is the end of the primary; if this daemon has started the process, its 'exit' is
 * Used by  app.ts (the type, WAS_REPLACED), daemon.ts
 * Uses     control/client.ts, primary_process.ts (the type of a process that this daemon has started)
 * Never    sends a signal to a pid whose process may have ended: only while the connection is open, or to a child
 */
import { epochClock } from '../../clock';
import { isObject } from '../../is_object';
import type { AppRecord } from '../app/app_record';
import { ControlClient } from '../control/client';
import { codeOf } from '../control/errors';
import { identityOf } from '../control/lock';
import type { StartedPrimary } from './primary_process';

/** How a primary ends that does not: another one serves in place of it. */
export const WAS_REPLACED = 'was replaced';

/** How long a primary may take to say who it is, and then which command it was started for, in milliseconds. It answers in its next turn. */
const ANSWER_MS = 5_000;

/** The daemon waits so long, in milliseconds, before it looks again: has a process ended that is not its child, or does the successor of a primary answer? */
const LOOK_MS = 20;
/** The daemon looks so often at most: a primary may take six seconds to write its last log lines. */
const MOST_LOOKS = 300;

/** A primary that is none any more. */
export interface Former {
  readonly pid: number;
  /** Another one serves in place of it. If not, it has died. */
  readonly wasReplaced: boolean;
}

/** A primary that answers. */
export class LivePrimary {
  readonly pid: number;
  /** Resolves to how it ended, in words: 'exited with 1', 'ended'; WAS_REPLACED: another primary serves in place of it. */
  readonly ended: Promise<string>;
  readonly #client: ControlClient;
  readonly #started: StartedPrimary | null;
  /** The record under which it was started; null if no daemon has started it. */
  readonly #startedFor: Pick<AppRecord, 'id' | 'run'> | null;
  readonly #since = epochClock.now();
  /** Tells its process from a later one with the same pid. null: it has ended, or the system did not say. */
  readonly #identity: string | null;
  #hasStarted = false;
  #isGone = false;

  /** `started`: the process, if this daemon has started it. */
  private constructor(client: ControlClient, startedFor: Pick<AppRecord, 'id' | 'run'> | null, started: StartedPrimary | null) {
    this.#client = client;
    this.#started = started;
    this.pid = client.hello.pid;
    this.#identity = readIdentity(this.pid) ?? null;
    this.#startedFor = startedFor;
    this.ended = this.#watchEnd();
  }

  /**
   * Connects to the primary at a socket. null: nobody answers there. `started`: it may be this process of the daemon.
   * `former`: a primary that has been replaced, or has died. While it still answers, its successor is about to take the
   * socket. If it was replaced there is a successor, which may not have the socket yet.
   */
  static async find(socket: string, started: StartedPrimary | null = null, former: Former | null = null): Promise<LivePrimary | null> {
    for (let look = 0; look <= MOST_LOOKS; look++) {
      if (look > 0) await pause();
      const found = await LivePrimary.#look(socket, started, former);
      if (found instanceof LivePrimary) return found;
      if (found === 'stands still' || (found === 'nobody' && former?.wasReplaced !== true)) return null;
    }
    return null;
  }

  /** One look for `find`. */
  static async #look(socket: string, started: StartedPrimary | null, former: Former | null): Promise<LivePrimary | 'former' | 'nobody' | 'stands still'> {
    let client: ControlClient;
    try {
      client = await ControlClient.connect(socket, { timeoutMs: ANSWER_MS });
    } catch (error) {
      return codeOf(error) === 'ERR_CONTROL_TIMEOUT' ? 'stands still' : 'nobody';
    }
    if (client.hello.pid === former?.pid) {
      client.close();
      return 'former';
    }
    const isOwn = started !== null && started.child.pid === client.hello.pid;
    if (client.hello.kind !== 'app' || client.hello.startedBy !== 'daemon') return new LivePrimary(client, null, null);
    let isLate = false;
    const cancel = epochClock.after(ANSWER_MS, () => { isLate = true; client.close(); });
    try {
      const answer = await client.call('run');
      return new LivePrimary(client, readRun(answer), isOwn ? started : null);
    } catch {
      client.close();
      return isLate ? 'stands still' : 'nobody'; // It ended while it was asked.
    } finally {
      cancel();
    }
  }

  /** Was it started by a daemon of this user? */
  get isOurs(): boolean {
    return this.#startedFor !== null;
  }

  /** Have all of its workers been ready? */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /** For how many milliseconds it has answered to this daemon. */
  get servedMs(): number {
    return epochClock.now() - this.#since;
  }

  /** Was it started for this command? */
  isOf({ id, run }: AppRecord): boolean {
    return this.#startedFor?.id === id && this.#startedFor.run === run;
  }

  /** Asks a method of the app. */
  call(method: string, params: object = {}): Promise<unknown> {
    return this.#client.call(method, params);
  }

  /** Calls back when its workers change state for the first time, and when all have been ready. */
  watch(changed: (detail: object | null) => void): void {
    this.#client.call('started', {}, { onProgress: (value) => changed(typeof value === 'object' ? value : null) }).then(() => {
      this.#hasStarted = true;
      changed(null);
    }, () => undefined); // It gives up, or is stopped: its end says so.
  }

  /** Tells it to stop. Its `ended` resolves when that is done. */
  stop(now: boolean): void {
    this.#client.call('stop', { now }).catch(() => undefined);
  }

  kill(): void {
    if (this.#started !== null) this.#started.child.kill('SIGKILL');
    else if (!this.#isGone && this.#identity !== null && readIdentity(this.pid) === this.#identity) process.kill(this.pid, 'SIGKILL');
  }

  /** Closes the connection; the process goes on. */
  letGo(): void {
    this.#client.close();
  }

  /** Does its process live? Where the system does not say, it may. */
  get #mayLive(): boolean {
    if (this.#identity === null) return false;
    const now = readIdentity(this.pid);
    return now === undefined || now === this.#identity;
  }

  async #watchEnd(): Promise<string> {
    const answer = await this.#client.call('lifetime').catch(() => undefined);
    this.#isGone = true;
    this.#client.close();
    if (isReplaced(answer)) return WAS_REPLACED;
    if (this.#started === null) {
      // It closes its socket just before it ends. While it lives, it has the lock, and no other primary can start.
      for (let look = 0; look < MOST_LOOKS && this.#mayLive; look++) {
        await pause();
      }
      return 'ended';
    }
    const { code, signal } = await this.#started.ended;
    return signal === null ? `exited with ${code}` : `was killed by ${signal}`;
  }
}

/** Until the next look. */
const pause = (): Promise<void> => new Promise((resolve) => { epochClock.after(LOOK_MS, resolve); });

/** The process that has this pid; null: none has; undefined: the system does not say (EMFILE). The daemon does not end of that. */
function readIdentity(pid: number): string | null | undefined {
  try {
    return identityOf(pid);
  } catch {
    return undefined;
  }
}

/** Has the primary said that another one serves in place of it? */
const isReplaced = (answer: unknown): boolean => isObject(answer) && answer['replaced'] === true;

function readRun(value: unknown): Pick<AppRecord, 'id' | 'run'> | null {
  const { id, run } = isObject(value) ? value : {};
  return typeof id === 'string' && typeof run === 'number' ? { id, run } : null;
}
