/**
 * Who counts a socket that was sent to another process. Its server goes on answering
 * `getConnections`, and its 'close' waits for it; so the sender asks, and the receiver, which sees
 * the sockets close, answers.
 *
 * Owns     per other process: a list for each server that has sent it sockets, until that server and all
 *          of them have closed, or the process or the server is gone; per server of the other process how
 *          many of its sockets are open here, while there are some; the questions that are not answered yet
 * Used by  attach_channel.ts, which is told of every socket that is sent and received, and passes on
 *          what the other process asks and answers
 * Never    holds a socket, which it counts, or a server, which holds its list; adds a listener for a
 *          server: there is one to 'exit' for all of them
 * Wire     sender → receiver  NODE_SOCKET_GET_COUNT {key}      ← NODE_SOCKET_COUNT {key, count}
 *          sender → receiver  NODE_SOCKET_NOTIFY_CLOSE {key}   ← NODE_SOCKET_ALL_CLOSED {key}, when none is open
 *          Replies have no number: one answers all questions of its kind and key, as in Node.
 * Node     lib/internal/socket_list.js; D21 is `countElsewhere` in native/servers.ts
 */
import { EventEmitter } from 'node:events';
import type { Server, Socket } from 'node:net';
import { Map } from '../builtins';
import { nodeError } from '../errors';
import { countElsewhere, type RemoteCount } from '../native/servers';

/** What a ChildProcess, or `process` in a child, is to this file. */
interface Peer extends EventEmitter {
  connected: boolean;
  send(message: unknown, handle: undefined, options: { swallowErrors: boolean }): boolean;
}

type Answer = (error: Error | null, count: number) => void;
type Question = 'NODE_SOCKET_GET_COUNT' | 'NODE_SOCKET_NOTIFY_CLOSE';

/** What is open here of the sockets of one server of the other process. */
interface Received {
  open: number;
  /** So many times the other process has asked to be told when none is open. */
  awaited: number;
}

/** The counts between this process and one other. */
export class SocketLists {
  readonly #peer: Peer;
  /** By server: two servers with the same key are two lists here, though one question for the peer. */
  readonly #sent = new WeakMap<Server, SentSockets>();
  /** The same lists, to tell them when the process is gone. */
  readonly #lists = new Set<WeakRef<SentSockets>>();
  /** A server that closed before it sent its last socket asks nothing: its list goes when it does. */
  readonly #collected = new FinalizationRegistry<WeakRef<SentSockets>>((list) => this.#lists.delete(list));
  readonly #received = new Map<string, Received>();
  /** By the question and its key. */
  readonly #asked = new Map<string, Answer[]>();
  #awaitsExit = false;

  constructor(peer: EventEmitter) {
    this.#peer = peer as Peer;
  }

  /** A socket of `server` goes to the other process. */
  sent(server: Server, key: string): void {
    (this.#sent.get(server) ?? this.#list(server, key)).add();
  }

  /** A socket of the other process's server `key` came. */
  received(socket: Socket, key: string): void {
    const list = this.#received.get(key) ?? { open: 0, awaited: 0 };
    this.#received.set(key, list);
    list.open++;
    socket.once('close', () => {
      list.open--;
      this.#tellIfClosed(key, list);
    });
  }

  /** An internal message of the other process; it may be one of another part of Node's. */
  receive(message: object): void {
    const { cmd, key, count } = message as { cmd?: unknown; key?: unknown; count?: unknown };
    if (typeof key !== 'string') return;
    switch (cmd) {
      case 'NODE_SOCKET_GET_COUNT':
        return this.#tell({ cmd: 'NODE_SOCKET_COUNT', key, count: this.#received.get(key)?.open ?? 0 });
      case 'NODE_SOCKET_NOTIFY_CLOSE': {
        const list = this.#received.get(key) ?? { open: 0, awaited: 0 };
        list.awaited++;
        return this.#tellIfClosed(key, list);
      }
      case 'NODE_SOCKET_COUNT':
        return this.#answer('NODE_SOCKET_GET_COUNT', key, null, typeof count === 'number' ? count : 0);
      case 'NODE_SOCKET_ALL_CLOSED':
        return this.#answer('NODE_SOCKET_NOTIFY_CLOSE', key, null, 0);
    }
  }

  /** The channel has ended: nobody answers any more. */
  ended(): void {
    for (const asked of this.#asked.keys()) {
      const [question, key] = split(asked);
      this.#answer(question, key, closedBeforeReply(), 0);
    }
  }

  #list(server: Server, key: string): SentSockets {
    const list = new SentSockets((question, answer) => this.#ask(question, key, answer));
    const weak = new WeakRef(list);
    this.#sent.set(server, list);
    this.#lists.add(weak);
    this.#collected.register(list, weak);
    countElsewhere(server, list);
    list.once('exit', () => {
      this.#sent.delete(server);
      this.#lists.delete(weak);
    });
    if (!this.#awaitsExit) this.#peer.once('exit', this.#gone);
    this.#awaitsExit = true;
    return list;
  }

  #ask(question: Question, key: string, answer: Answer): void {
    const peer = this.#peer;
    if (!peer.connected) return void process.nextTick(answer, closedBeforeReply(), 0);
    const asked = `${question} ${key}`;
    const answers = this.#asked.get(asked);
    if (answers === undefined) this.#asked.set(asked, [answer]);
    else answers.push(answer);
    peer.send({ cmd: question, key }, undefined, quietly);
  }

  #answer(question: Question, key: string, error: Error | null, count: number): void {
    const asked = `${question} ${key}`;
    const answers = this.#asked.get(asked) ?? [];
    this.#asked.delete(asked);
    // In ticks of their own: what a server does with one of them does not touch the next.
    for (const answer of answers) process.nextTick(answer, error, count);
  }

  #tellIfClosed(key: string, list: Received): void {
    if (list.open > 0) return;
    if (this.#received.get(key) === list) this.#received.delete(key);
    for (; list.awaited > 0; list.awaited--) this.#tell({ cmd: 'NODE_SOCKET_ALL_CLOSED', key });
  }

  #tell(message: object): void {
    if (this.#peer.connected) this.#peer.send(message, undefined, quietly);
  }

  readonly #gone = (): void => {
    for (const list of [...this.#lists]) list.deref()?.end();
  };
}

/** The sender's side: sockets of one server in one other process. */
class SentSockets extends EventEmitter implements RemoteCount {
  readonly #ask: (question: Question, answer: Answer) => void;
  #count = 0;

  constructor(ask: (question: Question, answer: Answer) => void) {
    super();
    this.#ask = ask;
  }

  add(): void {
    this.#count++;
  }

  getConnections(counted: Answer): void {
    this.#ask('NODE_SOCKET_GET_COUNT', counted);
  }

  close(closed: (error: Error | null) => void): void {
    const count = this.#count;
    this.#ask('NODE_SOCKET_NOTIFY_CLOSE', (error) => {
      // Unless the server listens again, and has sent another one meanwhile.
      if (error === null && count === this.#count) this.end();
      closed(error);
    });
  }

  /** Nothing is left to be counted there. Node takes the list out of its server. */
  end(): void {
    this.emit('exit', this);
  }
}

const split = (asked: string): [Question, string] => {
  const at = asked.indexOf(' ');
  return [asked.slice(0, at) as Question, asked.slice(at + 1)];
};

const closedBeforeReply = (): Error => nodeError(Error, 'ERR_CHILD_CLOSED_BEFORE_REPLY', 'Child closed before reply received');

/** A peer that is gone needs no answer. */
const quietly = { swallowErrors: true };
