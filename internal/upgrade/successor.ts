/**
 * A primary that replaces another one: takes its listening sockets, says when all workers are ready, and then takes what the
 * other one still has.
 *
 *   addresses ── begin ──► starting ── commit ──► serving ── last ──► alone
 *       └── the predecessor ends ──┴──► this process ends with 1        │
 *                                         serving ── the predecessor ends ──► alone
 *
 * Owns     the link; each inherited handle until a worker's query takes it. Those that nobody has taken by the commit are closed,
 *          except vacant addresses, at which clients wait for a worker until their deadline; the connections of these
 * Used by  master/index.ts, if the variable is in the environment
 * Uses     link.ts, messages.ts, registry.ts, start.ts (the variable), native/pipes.ts
 * Never    has a connection before the commit: until then this process can be ended at any moment, and no client notices.
 *          Accepts one before it is alone: until then the predecessor does, and has a copy of each until a worker here has it
 * Keeps    1. no worker inherits the variable. Another child that the program starts before it loads the cluster does, and ignores it
 *          2. before the commit this process does not outlive its predecessor; afterwards it does
 */
import { fstatSync, writeSync } from 'node:fs';
import { timers } from '../builtins';
import { epochClock } from '../clock';
import type { NativeHandle } from '../native/bindings';
import { openPipe } from '../native/pipes';
import { Link } from './link';
import { PROTOCOL, isOfPredecessor, type PredecessorMessage } from './messages';
import { addressesHere, adoptParts, callEach, registerInheritance, type AddressQuery, type Inheritance, type InheritedAddress, type InheritedState } from './registry';
import { VARIABLE } from './start';

type State = 'addresses' | 'starting' | 'serving' | 'alone';

class Successor implements Inheritance {
  readonly #link: Link;
  readonly predecessor = process.ppid;
  #state: State = 'addresses';
  /** Those that nobody has taken yet. */
  #addresses: InheritedAddress[] = [];
  /** Connections that the predecessor had at vacant addresses, by the ids of these. At each no more than may wait in the queue of an address. */
  readonly #atVacant = new Map<number, NativeHandle[]>();
  /** The ids of those that were taken. */
  readonly #adopted: number[] = [];
  /** Sockets of the primary itself that nobody has taken yet. */
  readonly #sockets = new Map<string, NativeHandle>();
  /** Have all workers become ready? */
  #isReady = false;
  /** Queries that wait for the addresses. */
  #waiting: (() => void)[] = [];
  #onServing: (() => void)[] = [];
  readonly #onStop: ((now: boolean) => void)[] = [];
  /** The shared state of this process; null if it is not open. */
  #sharedState: InheritedState | null = null;
  /** Has the predecessor a shared state? null: it has not said so. */
  #hasState: boolean | null = null;
  /** The shared state that came, and how many messages for it are in it. */
  #cameOver: { readonly handled: number; readonly snapshot: unknown } | null = null;

  constructor(link: Link) {
    this.#link = link;
    link.listen((message, handle) => {
      if (isOfPredecessor(message)) this.#received(message, handle);
      else handle?.close();
    }, () => this.#predecessorEnded());
    link.send({ act: 'hello', protocol: PROTOCOL, pid: process.pid, node: process.version });
  }

  // ── for the parts of this process ──────────────────────────────────────────────────────────────

  get isServing(): boolean {
    return this.#state === 'serving' || this.#state === 'alone';
  }

  get isAlone(): boolean {
    return this.#state === 'alone';
  }

  openState(state: InheritedState): void {
    if (this.#sharedState !== null) return state.began(null); // Another one of this process, apart from the first.
    this.#sharedState = state;
    if (this.#cameOver !== null) state.switched(this.#cameOver.handled, this.#cameOver.snapshot);
    else if (this.#state === 'alone') state.lost();
    else if (this.#hasState !== null) this.#stateBegins(state, this.#hasState);
  }

  #stateBegins(state: InheritedState, hasState: boolean): void {
    state.began(hasState ? { send: (key, id, message) => this.#link.send({ act: 'state', key, id, message }) } : null);
  }

  takeSocket(name: string): NativeHandle | null {
    const handle = this.#sockets.get(name) ?? null;
    this.#sockets.delete(name);
    return handle;
  }

  takeSockets(prefix: string): { name: string; handle: NativeHandle }[] {
    const found = [...this.#sockets].filter(([name]) => name.startsWith(prefix));
    for (const [name] of found) this.#sockets.delete(name);
    return found.map(([name, handle]) => ({ name, handle }));
  }

  onServing(callback: () => void): void {
    if (this.isServing) callback();
    else this.#onServing.push(callback);
  }

  onStop(callback: (now: boolean) => void): void {
    this.#onStop.push(callback);
  }

  isComplete(callback: () => void): boolean {
    if (this.#state !== 'addresses') return true;
    this.#waiting.push(callback);
    return false;
  }

  take(query: AddressQuery): InheritedAddress | null {
    const found = this.#addresses.find((one) => isSame(one.query, query, true)) ?? this.#addresses.find((one) => isSame(one.query, query, false));
    if (found === undefined) return null;
    this.#addresses = this.#addresses.filter((one) => one !== found);
    this.#adopted.push(found.id);
    if (this.#isReady) this.ready();
    this.#giveWaiting(found.id);
    return found;
  }

  hasFd(fd: number): boolean {
    return this.#addresses.some(({ query }) => query.fd === fd);
  }

  ready(): void {
    this.#isReady = true;
    this.#link.send({ act: 'ready', adopted: this.#adopted });
  }

  failed(reason: string): void {
    this.#link.send({ act: 'failed', reason });
  }

  // ── messages of the predecessor ────────────────────────────────────────────────────────────────

  #received(message: PredecessorMessage, handle: NativeHandle | undefined): void {
    switch (message.act) {
      case 'address': {
        const { id, query, data } = message;
        if (handle !== undefined) this.#addresses.push({ id, query, data, handle });
        return;
      }
      case 'socket':
        if (handle !== undefined) this.#sockets.set(message.name, handle);
        return;
      case 'begin': return this.#begin(message.hasState);
      case 'state': return this.#sharedState?.received(message.key, message.message);
      case 'commit': return this.#commit(message.parts);
      case 'connection': return this.#connection(message, handle);
      case 'stop': return callEach(this.#onStop.map((callback) => () => callback(message.now)));
      case 'last':
        adoptParts(message.parts);
        this.#beAlone();
        this.#cameOver = { handled: message.handled, snapshot: message.state };
        this.#sharedState?.switched(message.handled, message.state);
        return this.#link.send({ act: 'done' });
      default: return message satisfies never;
    }
  }

  #begin(hasState: boolean): void {
    this.#state = 'starting';
    this.#hasState = hasState;
    if (this.#sharedState !== null) this.#stateBegins(this.#sharedState, hasState);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const query of waiting) query();
  }

  #commit(parts: Readonly<Record<string, unknown>>): void {
    this.#state = 'serving';
    adoptParts(parts);
    this.#closeRest();
    this.#link.send({ act: 'serving' });
    callEach(this.#onServing);
    this.#onServing = [];
    for (const name of this.#sockets.keys()) this.takeSocket(name)?.close();
  }

  #connection({ seq, id, moved }: PredecessorMessage & { act: 'connection' }, handle: NativeHandle | undefined): void {
    const answer = (taken: boolean): void => this.#link.send({ act: 'taken', seq, taken });
    if (handle !== undefined && addressesHere()?.adopt(id, handle, moved, answer) === true) return;
    if (handle !== undefined && this.#waitsAtVacant(id, handle)) return answer(true);
    handle?.close();
    answer(false);
  }

  /** False: the address is not vacant, or too many wait there. */
  #waitsAtVacant(id: number, connection: NativeHandle): boolean {
    if (!this.#addresses.some((one) => one.id === id)) return false;
    const waiting = this.#atVacant.get(id) ?? [];
    if (addressesHere()?.mayWait(waiting.length, connection) !== true) return false;
    waiting.push(connection);
    this.#atVacant.set(id, waiting);
    return true;
  }

  #beAlone(): void {
    this.#state = 'alone';
    addressesHere()?.serve();
  }

  /** Nobody listens there: the predecessor has refused to commit otherwise, so only a worker has stopped listening since then. Vacant ones wait. */
  #closeRest(): void {
    for (const { id, query, handle } of this.#addresses) {
      if (query.vacantMs === undefined) handle.close();
      else epochClock.after(query.vacantMs, () => this.#closeVacant(id), false);
    }
    this.#addresses = this.#addresses.filter(({ query }) => query.vacantMs !== undefined);
  }

  #closeVacant(id: number): void {
    for (const { handle } of this.#addresses.filter((one) => one.id === id)) handle.close();
    this.#addresses = this.#addresses.filter((one) => one.id !== id);
    for (const connection of this.#atVacant.get(id) ?? []) connection.close();
    this.#atVacant.delete(id);
  }

  /** A worker listens at an address that was vacant. In a later turn it has been told so. */
  #giveWaiting(id: number): void {
    const waiting = this.#atVacant.get(id);
    if (waiting === undefined) return;
    this.#atVacant.delete(id);
    timers.setImmediate(() => {
      for (const connection of waiting) if (addressesHere()?.adopt(id, connection, false, () => undefined) !== true) connection.close();
    });
  }

  #predecessorEnded(): void {
    if (this.#state === 'alone') return;
    if (!this.isServing) {
      writeSync(2, 'cluster-internals: this process was to replace another primary, which has ended or has called that off\n');
      process.exit(1);
    }
    this.#beAlone();
    this.#sharedState?.lost();
  }
}

/** Node 20 has the index of the server in each key, later versions only where there is no port: it counts only if nothing else tells two addresses apart. */
function isSame(one: AddressQuery, other: AddressQuery, exact: boolean): boolean {
  const isCounted = exact || one.port === 0 || one.addressType === 'udp4' || one.addressType === 'udp6';
  return one.address === other.address && one.port === other.port && one.addressType === other.addressType && one.fd === other.fd
    && (!isCounted || one.index === other.index);
}

/** Opens the link if this process was started to replace its parent. The variable is deleted in any case. */
export function openInheritance(): void {
  const [fd = -1, protocol, parent] = (process.env[VARIABLE] ?? '').split(',').map(Number);
  delete process.env[VARIABLE];
  // This process was not started as a successor: it has inherited the variable from a child that was, or its parent has
  // ended. It is an ordinary primary.
  if (parent !== process.ppid || !isSocket(fd)) return;
  const link = new Link(openPipe(fd), 'S to P');
  if (protocol !== PROTOCOL) {
    link.send({ act: 'hello', protocol: PROTOCOL, pid: process.pid, node: process.version });
    link.listen(() => undefined, () => process.exit(1));
    return;
  }
  registerInheritance(new Successor(link));
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false; // Closed, or no number.
  }
}
