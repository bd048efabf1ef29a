/**
 * Something that serves one port and is measured.
 *
 * Used by  peers.ts, nginx.ts, the rows
 */

export type Kind = 'tcp' | 'http';

/** A peer that runs: what to load, whose CPU to count. */
export interface Peer {
  readonly name: string;
  readonly port: number;
  /** The process that accepts first, then its workers. */
  readonly pids: readonly number[];
  /** Connections served by each worker since its start. */
  served(): Promise<readonly number[]>;
  stop(): Promise<void>;
}
