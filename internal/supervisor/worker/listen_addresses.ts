/**
 * The addresses at which a worker listens through its cluster, as texts that can be compared between workers. They are
 * made of what the app asked for, and not of what it got: port 0 is the same address in each worker.
 *
 * Owns     the table of the servers that listen
 * Used by  agent.ts
 */
import type { EventEmitter } from 'node:events';

/** What `net` and `dgram` ask the cluster for, as far as it matters here. */
interface Query {
  readonly address?: unknown;
  readonly port?: unknown;
  readonly addressType?: unknown;
  readonly fd?: unknown;
}

/** The addresses of one worker. */
export class ListenAddresses {
  readonly #servers = new Map<object, string>();
  readonly #changed: (all: readonly string[]) => void;

  /** `changed` is called with all addresses whenever one comes or goes. */
  constructor(changed: (all: readonly string[]) => void) {
    this.#changed = changed;
  }

  /** A server listens at what `query` asked for. */
  add(server: object, query: unknown): void {
    const isKnown = this.#servers.has(server);
    this.#servers.set(server, addressOf(query as Query));
    this.#changed(this.#all());
    if (!isKnown) (server as EventEmitter).once('close', () => {
      this.#servers.delete(server);
      this.#changed(this.#all());
    });
  }

  /** Two servers at the same address (two at port 0, for example) count as two: the second one is numbered. */
  #all(): string[] {
    const counts = new Map<string, number>();
    return [...this.#servers.values()].map((address) => {
      const count = (counts.get(address) ?? 0) + 1;
      counts.set(address, count);
      return count === 1 ? address : `${address} (${count})`;
    });
  }
}

function addressOf({ address, port, addressType, fd }: Query): string {
  const kind = String(addressType).startsWith('udp') ? 'udp' : 'tcp';
  if (typeof fd === 'number' && fd >= 0) return `fd ${fd}`;
  if (typeof port !== 'number' || port < 0) return String(address);
  return `${kind} ${typeof address === 'string' && address !== '' ? address : '*'}:${port}`;
}
