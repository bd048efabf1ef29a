/**
 * Who counts a socket that was sent to another process. Its server goes on answering
 * `getConnections`, and its 'close' waits for it; so the sender asks, and the receiver, which sees
 * the sockets close, answers.
 *
 * Owns     per other process: which servers have sent it sockets; per server of the other process:
 *          how many of its sockets are open here
 * Used by  process_face.ts, which is told of every socket that is sent and received
 * Never    holds a socket: it counts
 * Wire     sender → receiver  NODE_SOCKET_GET_COUNT {key}      ← NODE_SOCKET_COUNT {key, count}
 *          sender → receiver  NODE_SOCKET_NOTIFY_CLOSE {key}   ← NODE_SOCKET_ALL_CLOSED {key}, when none is open
 *          Replies have no number: those of one key answer in the order of the questions.
 * Node     lib/internal/socket_list.js; D21 is in native.ts, `countElsewhere`
 */
import { EventEmitter } from 'node:events';
import type { Server, Socket } from 'node:net';
import { nodeError } from '../errors';
import { countElsewhere, type RemoteCount } from '../native';

/** What a ChildProcess, or `process` in a child, is to this file. */
interface Peer extends EventEmitter {
  connected: boolean;
  send(message: unknown, handle: undefined, options: { swallowErrors: boolean }): boolean;
}

interface CountMessage {
  readonly cmd: string;
  readonly key: string;
  readonly count?: number;
}

type Answer = (error: Error | null, count: number) => void;

/** The counts between this process and one other. */
export class SocketLists {
  readonly #peer: Peer;
  /** By server: two servers with the same key are two lists here, though one question for the peer. */
  readonly #sent = new Map<Server, SentSockets>();
  readonly #received = new Map<string, ReceivedSockets>();

  constructor(peer: EventEmitter) {
    this.#peer = peer as Peer;
  }

  /** A socket of `server` goes to the other process. */
  sent(server: Server, key: string): void {
    if (this.#sent.has(server)) return;
    const list = new SentSockets(this.#peer, key);
    this.#sent.set(server, list);
    list.once('exit', () => this.#sent.delete(server));
    countElsewhere(server, list);
  }

  /** A socket of the other process's server `key` came. */
  received(socket: Socket, key: string): void {
    let list = this.#received.get(key);
    if (list === undefined) this.#received.set(key, (list = new ReceivedSockets(this.#peer, key)));
    list.add(socket);
  }
}

/** The sender's side: sockets of one server in one other process. */
class SentSockets extends EventEmitter implements RemoteCount {
  readonly #peer: Peer;
  readonly #key: string;

  constructor(peer: Peer, key: string) {
    super();
    this.#peer = peer;
    this.#key = key;
    peer.once('exit', () => this.emit('exit', this));
  }

  getConnections(counted: Answer): void {
    this.#ask('NODE_SOCKET_GET_COUNT', 'NODE_SOCKET_COUNT', counted);
  }

  close(closed: (error: Error | null) => void): void {
    this.#ask('NODE_SOCKET_NOTIFY_CLOSE', 'NODE_SOCKET_ALL_CLOSED', closed);
  }

  #ask(question: string, reply: string, answer: Answer): void {
    const peer = this.#peer;
    const replied = (message: CountMessage): void => {
      if (message.cmd === reply && message.key === this.#key) end(null, message.count ?? 0);
    };
    const end: Answer = (error, count) => {
      peer.removeListener('internalMessage', replied);
      peer.removeListener('disconnect', gone);
      answer(error, count);
    };
    const gone = (): void => end(nodeError(Error, 'ERR_CHILD_CLOSED_BEFORE_REPLY', 'Child closed before reply received'), 0);
    if (!peer.connected) return void process.nextTick(gone);
    peer.on('internalMessage', replied);
    peer.once('disconnect', gone);
    peer.send({ cmd: question, key: this.#key }, undefined, quietly);
  }
}

/** The receiver's side: open sockets of one server of the other process. */
class ReceivedSockets {
  readonly #peer: Peer;
  readonly #key: string;
  #open = 0;
  /** The other process asked to be told when none is open. */
  #awaited = 0;

  constructor(peer: Peer, key: string) {
    this.#peer = peer;
    this.#key = key;
    peer.on('internalMessage', (message: CountMessage) => {
      if (message.key !== key) return;
      if (message.cmd === 'NODE_SOCKET_GET_COUNT') this.#tell({ cmd: 'NODE_SOCKET_COUNT', key, count: this.#open });
      if (message.cmd === 'NODE_SOCKET_NOTIFY_CLOSE') {
        this.#awaited++;
        this.#tellIfClosed();
      }
    });
  }

  add(socket: Socket): void {
    this.#open++;
    socket.once('close', () => {
      this.#open--;
      this.#tellIfClosed();
    });
  }

  #tellIfClosed(): void {
    while (this.#open === 0 && this.#awaited > 0) {
      this.#awaited--;
      this.#tell({ cmd: 'NODE_SOCKET_ALL_CLOSED', key: this.#key });
    }
  }

  #tell(message: CountMessage): void {
    if (this.#peer.connected) this.#peer.send(message, undefined, quietly);
  }
}

/** A peer that is gone needs no answer. */
const quietly = { swallowErrors: true };
