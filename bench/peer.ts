/**
 * A peer: whatever serves one port and is measured, for example a cluster or nginx.
 *
 * Used by  bench/peers.ts, bench/nginx.ts, bench/rows/
 */

export type Kind = 'tcp' | 'http';

/** A running peer: the port to load, and the processes whose CPU time counts. */
export interface Peer {
  readonly name: string;
  readonly port: number;
  /** First the process that accepts, then its workers. */
  readonly pids: readonly number[];
  /** Connections served by each worker since its start. */
  served(): Promise<readonly number[]>;
  stop(): Promise<void>;
}
