/**
 * What the owner of a channel gives it, and what it hears from it.
 *
 * Used by  channel.ts, incoming.ts, attach_channel.ts; the dialect by all who start a child
 */
import type { Server, Socket } from 'node:net';
import type { ChannelLimits } from '../limits';
import type { Serialization } from './codec';
import type { SendHandle } from './handles';
import type { OutboxSink } from './outbox';

/** What the other end runs: stock Node, or this project. */
export type Dialect = 'node' | 'pipelined';

/** What both ends of a channel have agreed on at spawn. */
export interface ChannelOptions {
  readonly serialization: Serialization;
  readonly dialect: Dialect;
  /** How the end of this process is named in the trace. */
  readonly name: string;
  /** None by default. */
  readonly limits?: ChannelLimits | undefined;
}

/** What the owner of a channel is told. Messages, errors and the end come in ticks of their own. */
export interface ChannelSink extends Pick<OutboxSink, 'pending' | 'drained'> {
  message(message: unknown, handle: SendHandle | undefined): void;
  /** The same for a message whose `cmd` begins with NODE_. */
  internalMessage(message: object, handle: SendHandle | undefined): void;
  error(error: Error): void;
  /** Bytes that are no message, or too many, or an fd without one. Called in the read itself; what it throws is an uncaught exception. */
  malformed(error: Error): void;
  /** The channel has left the state `open`: nothing is accepted for sending any more. */
  ending(state: 'draining' | 'closed'): void;
  /** Everything that was received has been told, and the pipe is closed. */
  closed(): void;
  /** A socket that `server` accepted goes to the other end, which counts it from now on. */
  socketSent(server: Server, key: string): void;
  /** A socket came that the other end's server wants counted here. */
  socketReceived(socket: Socket, key: string): void;
}
