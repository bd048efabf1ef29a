/**
 * The contract of the three kinds of server handles, `RoundRobinHandle`, `SharedHandle` and `SharedAcceptHandle`, as
 * listen_table.ts uses them.
 * Only types.
 *
 * Used by  round_robin_handle.ts, shared_handle.ts, shared_accept_handle.ts, listen_table.ts, handover.ts
 */
import type { KeepListening } from '../limits';
import type { Progress, SocketName } from '../messages';
import type { NativeHandle } from '../native/bindings';
import type { Peer } from './peer';

/** Sends a worker the result of its query: an errno or fields of the reply, and a handle for it. */
export type HandleReply = (errno: number | null, fields: { sockname?: SocketName; counts?: true | 'seldom'; quotas?: true }, handle: NativeHandle | null) => void;

/** Takes a connection (transferred) for another primary. `moved`: a worker had it before. False: it takes none now, and the connection stays queued. */
export type Heir = (connection: NativeHandle, moved: boolean) => boolean;

/**
 * Does the address close when its last worker leaves?
 *   closes       yes
 *   handed over  no: another primary takes it over
 *   resumed      no, until the next worker comes. That primary has ended, and the workers that were told to leave for it
 *                may leave before the new ones listen
 */
export type LastWorker = 'closes' | 'handed over' | 'resumed';

/** One listening address. */
export interface ServerHandle {
  /** The first truthy `data` of a query; every reply for this handle carries it. */
  data: unknown;
  has(peer: Peer): boolean;
  /** A worker listens here; `reply` is called once, now or when the bind has ended. */
  add(peer: Peer, reply: HandleReply): void;
  /** The worker has reported how many connections it has open here. Only handles that count have this. */
  report?(peer: Peer, open: number): void;
  /** The worker has reported what it has accepted by itself. Only handles with quotas have this. */
  progress?(peer: Peer, progress: Progress): void;
  /**
   * A worker gives an idle connection back. True: it is transferred, and waits for another worker. False: the caller
   * keeps it. Only handles that hand connections off have this.
   */
  takeBack?(giver: Peer, connection: NativeHandle): boolean;
  /**
   * A worker listens here no more. True if it was the last one: then the handle is closed. With `keep` it goes
   * on to accept, without keeping the process alive, until a worker comes or the caller calls `close`.
   */
  remove(peer: Peer, keep?: KeepListening | null): boolean;
  /** This worker is about to be removed, when `given` is called. If it is the last one, it gets all connections that wait here or in the kernel. Only a RoundRobinHandle has this: where workers accept by themselves, they simply stop. */
  giveRest?(peer: Peer, given: () => void): void;
  /** Closes a handle that was kept, when no worker has come in time. */
  close(): void;
  /** Connections that wait here for a worker. */
  readonly queued: number;
  /** Is there a listening socket? Only such a handle can be kept. */
  readonly listening: boolean;
  /** The listening or bound socket (borrowed); null if there is none. */
  readonly native: NativeHandle | null;
  /** Another primary takes over: everything that waits, is accepted or comes back goes to `heir`, and the last worker closes nothing. */
  handOver(heir: Heir): void;
  /** The heir takes connections again. */
  giveMore?(): void;
  /** Accepts nothing more: the other primary does. */
  stopAccepting?(): void;
  /** Accepts, because the other primary has ended, or has said so. */
  serve(): void;
  /**
   * Takes a connection (transferred) of this address. False: the caller keeps it. `ended` is called once, when a worker has
   * it (true), or when it is closed without one. Only handles that hand connections off have this.
   */
  adopt?(connection: NativeHandle, moved: boolean, ended?: (taken: boolean) => void): boolean;
}
