/**
 * Counts the open connections of this worker's servers, for a primary whose scheduling rule needs the
 * numbers: with each acknowledgement, and between two of those if they have changed. For rebalancing they are sent only
 * now and then.
 *
 * Owns     a timer that runs while connections are open; it does not keep the process alive
 * Used by  index.ts, listening.ts
 * Costs    nothing as long as no server is watched
 */
import { Map, NativeObject, Set, timers } from '../builtins';
import { openConnections } from '../native/servers';

/** Milliseconds between two counts for a scheduling rule: it sees a closed connection after this time at the latest. */
const INTERVAL = 20;
/** Milliseconds between two counts for rebalancing, which looks as often (master/rebalancing.ts). */
const SELDOM = 100;

/** Open connections, by key. */
export type Counts = Readonly<Record<string, number>>;

/** The open connections of the servers that are watched. */
export class OpenCounts {
  readonly #servers = new Map<string, object>();
  readonly #seldom = new Set<string>();
  readonly #offered: (server: object) => number;
  readonly #report: (open: Counts) => void;
  #reported: Counts = {};
  #timer: NodeJS.Timeout | undefined;

  /** `report` is called when a count has changed since the last report. `offered`: how many connections of a server are on their way to the primary. */
  constructor(report: (open: Counts) => void, offered: (server: object) => number) {
    this.#report = report;
    this.#offered = offered;
  }

  /** `how`: see `counts` of ServerReply in messages.ts. */
  watch(key: string, server: object, how: true | 'seldom'): void {
    this.unwatch(key);
    this.#servers.set(key, server);
    if (how === 'seldom') this.#seldom.add(key);
    // A timer that runs may have the slow pace of rebalancing, and a scheduling rule needs the fast one from now on.
    const runs = this.#timer !== undefined;
    this.#stop();
    if (runs || openConnections(server) > 0) this.begin();
  }

  /** Connections have come, or are about to: counts from now on, until none is open. */
  begin(): void {
    if (this.#servers.size > 0) this.#timer ??= timers.setInterval(() => this.#check(), this.#isOften ? INTERVAL : SELDOM).unref();
  }

  unwatch(key: string): void {
    this.#servers.delete(key);
    this.#seldom.delete(key);
    if (this.#servers.size === 0) this.#stop();
  }

  /** Does a rule of the primary need the counts with each acknowledgement? */
  get #isOften(): boolean {
    return this.#servers.size > this.#seldom.size;
  }

  /**
   * The counts to send with an acknowledgement. `accepted`: the key of the connection that it acknowledges, which is
   * counted already; null for a rejection. Undefined if no server is watched.
   */
  forAnswer(accepted: string | null): Counts | undefined {
    if (this.#servers.size === 0) return undefined;
    this.begin();
    return this.#isOften ? this.#reported = this.#count(accepted) : undefined;
  }

  #check(): void {
    const reported = this.#reported;
    const counts = this.#count();
    this.#reported = counts;
    // `counts` leaves out connections that are on their way to the primary. They are open all the same: the primary may refuse them.
    if (![...this.#servers.values()].some((server) => openConnections(server) > 0)) this.#stop();
    if (NativeObject.keys(counts).some((key) => counts[key] !== reported[key])) this.#report(counts);
  }

  #count(accepted: string | null = null): Counts {
    const counts: Record<string, number> = {};
    for (const [key, server] of this.#servers) counts[key] = openConnections(server) - this.#offered(server) + (key === accepted ? 1 : 0);
    return counts;
  }

  #stop(): void {
    timers.clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
