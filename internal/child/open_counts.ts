/**
 * How many connections the servers of this worker have open, for a primary whose scheduling rule
 * wants to know. It is said with each acknowledgement; between those, when it has changed.
 *
 * Owns     a timer that runs while connections are open, and holds nothing
 * Used by  child/index.ts
 * Costs    nothing where no server is watched
 */
import { Map, NativeObject, timers } from '../builtins';
import { openConnections } from '../native/servers';

/** Milliseconds between two looks at what has closed. */
const INTERVAL = 20;

/** Counts by key. */
export type Counts = Readonly<Record<string, number>>;

/** The open connections of the servers that are watched. */
export class OpenCounts {
  readonly #servers = new Map<string, object>();
  readonly #tell: (open: Counts) => void;
  #told: Counts = {};
  #timer: NodeJS.Timeout | undefined;

  /** `tell` is called when connections have closed since the counts were said last. */
  constructor(tell: (open: Counts) => void) {
    this.#tell = tell;
  }

  watch(key: string, server: object): void {
    this.#servers.set(key, server);
  }

  unwatch(key: string): void {
    this.#servers.delete(key);
    if (this.#servers.size === 0) this.#stop();
  }

  /** The counts when one that was `granted` has been delivered as well; they count as said. Undefined if no server is watched. */
  say(granted: string | null): Counts | undefined {
    if (this.#servers.size === 0) return undefined;
    this.#timer ??= timers.setInterval(() => this.#look(), INTERVAL).unref();
    return this.#told = this.#count(granted);
  }

  #look(): void {
    const told = this.#told;
    const counts = this.#count();
    this.#told = counts;
    if (NativeObject.values(counts).every((open) => open === 0)) this.#stop();
    if (NativeObject.keys(counts).some((key) => counts[key] !== told[key])) this.#tell(counts);
  }

  #count(granted: string | null = null): Counts {
    const counts: Record<string, number> = {};
    for (const [key, server] of this.#servers) counts[key] = openConnections(server) + (key === granted ? 1 : 0);
    return counts;
  }

  #stop(): void {
    timers.clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
