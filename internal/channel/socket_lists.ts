/**
 * Counts the sockets that one process has sent to another. The server that accepted such a socket still counts it in
 * `getConnections`, and emits 'close' only after the socket has closed. So the sender asks, and the receiver, in whose
 * process the sockets close, answers.
 *
 * Owns     for one other process: a list for each server that has sent sockets there, until the server and these sockets
 *          have closed, or the process or the server object is gone; for each server of the other process the number of
 *          its sockets that are open here, while there are any; and the questions that are not answered
 * Used by  attach_channel.ts, which reports each socket that is sent or received, and each internal message
 * Never    keeps a reference to a socket or to a server. Never adds a listener for each server: one 'exit' listener
 *          serves all of them
 * Wire     sender → receiver  NODE_SOCKET_GET_COUNT {key}      ← NODE_SOCKET_COUNT {key, count}
 *          sender → receiver  NODE_SOCKET_NOTIFY_CLOSE {key}   ← NODE_SOCKET_ALL_CLOSED {key}, when none is open
 *          Replies have no number. As in Node, one reply answers all questions of its kind and key.
 * Node     lib/internal/socket_list.js; `countElsewhere` in native/servers.ts is D21
 */
import { EventEmitter } from 'node:events';
import type { Server, Socket } from 'node:net';
import { Map, timers } from '../builtins';
import { nodeError } from '../errors';
import { countElsewhere, type RemoteCount } from '../native/servers';

/** The part of a ChildProcess, or of `process` in a child, that this file uses. */
interface OtherProcess extends EventEmitter {
  connected: boolean;
  send(message: unknown, handle: undefined, options: { swallowErrors: boolean }): boolean;
}

type CountCallback = (error: Error | null, count: number) => void;
type Question = 'NODE_SOCKET_GET_COUNT' | 'NODE_SOCKET_NOTIFY_CLOSE';

/** The sockets that one server of the other process has sent here. */
interface Received {
  open: number;
  /** How many messages NODE_SOCKET_ALL_CLOSED the other process is waiting for. */
  awaited: number;
}

/** The counts between this process and one other. */
export class SocketLists {
  readonly #other: OtherProcess;
  /** The lists by server. Two servers can have the same key; then one question covers both lists. */
  readonly #sent = new WeakMap<Server, SentSockets>();
  /** The same lists, so that all of them can be ended when the process exits. */
  readonly #lists = new Set<WeakRef<SentSockets>>();
  /** A server that sent a socket after it closed never asks. Its list is removed when the server object is collected. */
  readonly #collected = new FinalizationRegistry<WeakRef<SentSockets>>((list) => this.#lists.delete(list));
  readonly #received = new Map<string, Received>();
  /** The callbacks that wait for a reply, by the question and its key. */
  readonly #asked = new Map<string, CountCallback[]>();
  #awaitsExit = false;

  constructor(other: EventEmitter) {
    this.#other = other as OtherProcess;
  }

  /** A socket of `server` goes to the other process. */
  sent(server: Server, key: string): void {
    (this.#sent.get(server) ?? this.#list(server, key)).add();
  }

  /** A socket has arrived that the other process's server `key` accepted. */
  received(socket: Socket, key: string): void {
    const list = this.#received.get(key) ?? { open: 0, awaited: 0 };
    this.#received.set(key, list);
    list.open++;
    socket.once('close', () => {
      list.open--;
      this.#sendIfAllClosed(key, list);
    });
  }

  /** An internal message of the other process. Most of them are not for this file. */
  receive(message: object): void {
    const { cmd, key, count } = message as { cmd?: unknown; key?: unknown; count?: unknown };
    if (typeof key !== 'string') return;
    switch (cmd) {
      case 'NODE_SOCKET_GET_COUNT':
        return this.#send({ cmd: 'NODE_SOCKET_COUNT', key, count: this.#received.get(key)?.open ?? 0 });
      case 'NODE_SOCKET_NOTIFY_CLOSE': {
        const list = this.#received.get(key) ?? { open: 0, awaited: 0 };
        list.awaited++;
        return this.#sendIfAllClosed(key, list);
      }
      case 'NODE_SOCKET_COUNT':
        return this.#complete('NODE_SOCKET_GET_COUNT', key, null, typeof count === 'number' ? count : 0);
      case 'NODE_SOCKET_ALL_CLOSED':
        return this.#complete('NODE_SOCKET_NOTIFY_CLOSE', key, null, 0);
    }
  }

  /** The channel has ended: fails all questions, since no reply will come. */
  ended(): void {
    for (const asked of this.#asked.keys()) {
      const [question, key] = split(asked);
      this.#complete(question, key, closedBeforeReply(), 0);
    }
  }

  #list(server: Server, key: string): SentSockets {
    const list = new SentSockets((question, callback) => this.#ask(question, key, callback));
    const weak = new WeakRef(list);
    this.#sent.set(server, list);
    this.#lists.add(weak);
    this.#collected.register(list, weak);
    countElsewhere(server, list);
    list.once('exit', () => {
      this.#sent.delete(server);
      this.#lists.delete(weak);
    });
    if (!this.#awaitsExit) this.#other.once('exit', this.#exited);
    this.#awaitsExit = true;
    return list;
  }

  #ask(question: Question, key: string, callback: CountCallback): void {
    const other = this.#other;
    if (!other.connected) return void timers.nextTick(callback, closedBeforeReply(), 0);
    const asked = `${question} ${key}`;
    const callbacks = this.#asked.get(asked);
    if (callbacks === undefined) this.#asked.set(asked, [callback]);
    else callbacks.push(callback);
    other.send({ cmd: question, key }, undefined, silently);
  }

  #complete(question: Question, key: string, error: Error | null, count: number): void {
    const asked = `${question} ${key}`;
    const callbacks = this.#asked.get(asked) ?? [];
    this.#asked.delete(asked);
    // Each in a tick of its own: an exception in one server's callback must not affect the next.
    for (const callback of callbacks) timers.nextTick(callback, error, count);
  }

  #sendIfAllClosed(key: string, list: Received): void {
    if (list.open > 0) return;
    if (this.#received.get(key) === list) this.#received.delete(key);
    for (; list.awaited > 0; list.awaited--) this.#send({ cmd: 'NODE_SOCKET_ALL_CLOSED', key });
  }

  #send(message: object): void {
    if (this.#other.connected) this.#other.send(message, undefined, silently);
  }

  readonly #exited = (): void => {
    for (const list of [...this.#lists]) list.deref()?.end();
  };
}

/** The sender's list: the sockets that one server has sent to one other process. */
class SentSockets extends EventEmitter implements RemoteCount {
  readonly #ask: (question: Question, callback: CountCallback) => void;
  #count = 0;

  constructor(ask: (question: Question, callback: CountCallback) => void) {
    super();
    this.#ask = ask;
  }

  add(): void {
    this.#count++;
  }

  getConnections(counted: CountCallback): void {
    this.#ask('NODE_SOCKET_GET_COUNT', counted);
  }

  close(closed: (error: Error | null) => void): void {
    const count = this.#count;
    this.#ask('NODE_SOCKET_NOTIFY_CLOSE', (error) => {
      // Unless the server listens again, and has sent another socket in the meantime.
      if (error === null && count === this.#count) this.end();
      closed(error);
    });
  }

  /** The other process has no socket of this server any more. On 'exit' Node removes the list from the server. */
  end(): void {
    this.emit('exit', this);
  }
}

const split = (asked: string): [Question, string] => {
  const at = asked.indexOf(' ');
  return [asked.slice(0, at) as Question, asked.slice(at + 1)];
};

const closedBeforeReply = (): Error => nodeError(Error, 'ERR_CHILD_CLOSED_BEFORE_REPLY', 'Child closed before reply received');

/** A failed write is no error here: a process that has ended needs no answer. */
const silently = { swallowErrors: true };
