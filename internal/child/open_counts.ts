/**
 * Counts the open connections of this worker's servers, for a primary whose scheduling rule needs the
 * numbers. They are sent with each acknowledgement, and between two of those if they have changed.
 *
 * Owns     a timer that runs while connections are open; it does not keep the process alive
 * Used by  index.ts
 * Costs    nothing as long as no server is watched
 */
import { Map, NativeObject, timers } from '../builtins';
import { openConnections } from '../native/servers';

/** Milliseconds between two counts: a rule sees a closed connection after this time at the latest. */
const INTERVAL = 20;

/** Open connections, by key. */
export type Counts = Readonly<Record<string, number>>;

/** The open connections of the servers that are watched. */
export class OpenCounts {
  readonly #servers = new Map<string, object>();
  readonly #report: (open: Counts) => void;
  #reported: Counts = {};
  #timer: NodeJS.Timeout | undefined;

  /** `report` is called when a count has changed since the last report. */
  constructor(report: (open: Counts) => void) {
    this.#report = report;
  }

  watch(key: string, server: object): void {
    this.#servers.set(key, server);
  }

  unwatch(key: string): void {
    this.#servers.delete(key);
    if (this.#servers.size === 0) this.#stop();
  }

  /**
   * The counts to send with an acknowledgement. `accepted`: the key of the connection that it acknowledges, which is
   * counted already; null for a rejection. Undefined if no server is watched.
   */
  forAnswer(accepted: string | null): Counts | undefined {
    if (this.#servers.size === 0) return undefined;
    this.#timer ??= timers.setInterval(() => this.#check(), INTERVAL).unref();
    return this.#reported = this.#count(accepted);
  }

  #check(): void {
    const reported = this.#reported;
    const counts = this.#count();
    this.#reported = counts;
    if (NativeObject.values(counts).every((open) => open === 0)) this.#stop();
    if (NativeObject.keys(counts).some((key) => counts[key] !== reported[key])) this.#report(counts);
  }

  #count(accepted: string | null = null): Counts {
    const counts: Record<string, number> = {};
    for (const [key, server] of this.#servers) counts[key] = openConnections(server) + (key === accepted ? 1 : 0);
    return counts;
  }

  #stop(): void {
    timers.clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
