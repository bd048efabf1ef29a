/**
 * The cluster object of a primary, as a type.
 *
 * Used by  index.ts
 */
import type { EventEmitter } from 'node:events';
import type { Worker } from '../worker';
import type { ConnectionCounts } from './connection_counters';
import type { InheritedSocket } from './inherited_sockets';
import type { ClusterSettings } from './settings';

/** The primary's cluster object: https://nodejs.org/api/cluster.html */
export interface PrimaryCluster extends EventEmitter {
  isWorker: boolean;
  isMaster: boolean;
  isPrimary: boolean;
  Worker: unknown;
  workers: Record<string, Worker>;
  settings: ClusterSettings;
  SCHED_NONE: number;
  SCHED_RR: number;
  schedulingPolicy: number;
  /** How many connections the primary has accepted and not yet handed off (D33). */
  readonly queuedConnections: number;
  /** The sockets that systemd has passed to this primary; empty unless the setting `inheritedSockets` is on (D62). */
  readonly inheritedSockets: readonly InheritedSocket[];
  /** Numbers of connections: those that the primary has accepted, and how they ended. `latency: true`: their latency is measured from now on (D57). */
  counters(options?: { readonly latency?: boolean }): ConnectionCounts;
  setupPrimary(options?: ClusterSettings): void;
  setupMaster(options?: ClusterSettings): void;
  /** With `settings` (D52): as `forkWith`. */
  fork(env?: NodeJS.ProcessEnv, settings?: ClusterSettings): Worker;
  /** Forks one worker. `settings` override the program's for this worker only; 'setup' is not emitted (D55). */
  forkWith(settings: ClusterSettings, env?: NodeJS.ProcessEnv): Worker;
  disconnect(callback?: () => void): void;
}
