/**
 * Says which of the sockets that systemd has passed nobody uses, when the first workers are ready: most often the port in
 * the socket unit is not the one at which the app listens.
 *
 * Used by  lib/supervisor.ts
 * Uses     the member `inheritedSockets` of our cluster object
 * Never    closes one: systemd keeps its own copy, so clients would wait in vain all the same; and the app may listen there later
 */
import type { Cluster } from 'node:cluster';

/** The part of a Supervisor that matters here. */
interface Starts {
  readonly started: Promise<unknown>;
}

interface Socket {
  readonly fd: number;
  readonly name: string;
  readonly address: string;
  readonly port: number | null;
  readonly used: boolean;
}

/** A member of our cluster that Node's does not have (D62). */
interface HasSockets {
  readonly inheritedSockets: readonly Socket[];
}

const hasSockets = (cluster: Cluster): cluster is Cluster & HasSockets => Array.isArray((cluster as Partial<HasSockets>).inheritedSockets);

/** Prints a process warning for each socket at which no worker listens when the supervisor has started. */
export function reportUnused(supervisor: Starts, cluster: Cluster, warn: (text: string) => void = emitWarning): void {
  if (process.env['LISTEN_PID'] !== String(process.pid)) return; // They were meant for another process.
  if (!hasSockets(cluster)) return warn("Node's own cluster cannot use the sockets that systemd has passed; that of cluster-internals can");
  const report = (): void => {
    for (const socket of cluster.inheritedSockets) {
      if (!socket.used) warn(`No worker listens at ${textOf(socket)}, which systemd has passed. Does the app listen at another address? The socket stays open, and its clients wait`);
    }
  };
  supervisor.started.then(report, report);
}

function textOf({ fd, name, address, port }: Socket): string {
  const host = address.includes(':') ? `[${address}]` : address.replace('\0', '@');
  return `${port === null ? host : `${host}:${port}`} (fd ${fd}${name === '' ? '' : `, ${name}`})`;
}

function emitWarning(text: string): void {
  process.emitWarning(text, { type: 'SystemdWarning', code: 'CLUSTER_INTERNALS_UNUSED_SOCKET' });
}
