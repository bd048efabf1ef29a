/**
 * What the owner of a channel passes to it: its options, and a sink that handles what comes out of it.
 *
 * Used by  attach_channel.ts, channel.ts, incoming.ts, spawn.ts, master/peer.ts
 */
import type { Server, Socket } from 'node:net';
import type { ChannelLimits } from '../limits';
import type { Serialization } from './codec';
import type { SendHandle } from './handles';
import type { OutboxSink } from './outbox';

/** The protocol of a channel: *node* is Node's own, for a stock process at the other end; *pipelined* is ours. */
export type Dialect = 'node' | 'pipelined';

/** The properties of a channel. Both ends know serialization and dialect from the start of the child on. */
export interface ChannelOptions {
  readonly serialization: Serialization;
  readonly dialect: Dialect;
  /** The name of this end in the trace. */
  readonly name: string;
  /** Limits for what the other end may do; no limits by default. */
  readonly limits?: ChannelLimits | undefined;
}

/** The callbacks of a channel, which its owner implements. A message, an error and the end of the channel each come in a tick of their own. */
export interface ChannelSink extends Pick<OutboxSink, 'pending' | 'drained'> {
  message(message: unknown, handle: SendHandle | undefined): void;
  /** A message whose `cmd` begins with NODE_: it is for the runtime, not for the app. */
  internalMessage(message: object, handle: SendHandle | undefined): void;
  error(error: Error): void;
  /**
   * The other end sent bytes that are no message, a message that is too long, or an fd without a message. Called inside
   * the read; an exception that it throws is an uncaught exception.
   */
  malformed(error: Error): void;
  /** The channel has left the state `open`: from now on `send` must not be called. */
  ending(state: 'draining' | 'closed'): void;
  /** The pipe is closed, and everything that was received has been passed on. */
  closed(): void;
  /** A socket that `server` accepted goes to the other end, which counts it from now on. */
  socketSent(server: Server, key: string): void;
  /** A socket came that a server of the other end counts; this end must count it for that server. */
  socketReceived(socket: Socket, key: string): void;
}
