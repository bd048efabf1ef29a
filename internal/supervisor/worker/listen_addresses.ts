/**
 * Where a worker listens through its cluster, as text by which workers can be compared: of what the app
 * asked for, not of what it got, so that port 0 is the same in each.
 *
 * Owns     the table of servers that listen
 * Used by  agent.ts
 */
import type { EventEmitter } from 'node:events';

/** What `net` and `dgram` ask the cluster for, as far as it matters. */
interface Query {
  readonly address?: unknown;
  readonly port?: unknown;
  readonly addressType?: unknown;
  readonly fd?: unknown;
}

/** The addresses of one worker. */
export class Addresses {
  readonly #servers = new Map<object, string>();
  readonly #changed: (all: readonly string[]) => void;

  constructor(changed: (all: readonly string[]) => void) {
    this.#changed = changed;
  }

  /** A server got what it asked for. */
  add(server: object, query: unknown): void {
    const known = this.#servers.has(server);
    this.#servers.set(server, nameOf(query as Query));
    this.#changed(this.#all());
    if (!known) (server as EventEmitter).once('close', () => {
      this.#servers.delete(server);
      this.#changed(this.#all());
    });
  }

  /** Two servers at the same address (two at port 0) are two. */
  #all(): string[] {
    const counts = new Map<string, number>();
    return [...this.#servers.values()].map((name) => {
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      return count === 1 ? name : `${name} (${count})`;
    });
  }
}

function nameOf({ address, port, addressType, fd }: Query): string {
  const kind = String(addressType).startsWith('udp') ? 'udp' : 'tcp';
  if (typeof fd === 'number' && fd >= 0) return `fd ${fd}`;
  if (typeof port !== 'number' || port < 0) return String(address);
  return `${kind} ${typeof address === 'string' && address !== '' ? address : '*'}:${port}`;
}
