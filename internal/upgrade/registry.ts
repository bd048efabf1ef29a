/**
 * The parts of this process that have something to do when its primary is replaced. Each registers itself here, so that none of
 * them knows of the others, nor of the code that replaces a primary.
 *
 *   master/                the listening addresses, and the connections that are not with a worker
 *   shared_state/server/   the shared state
 *   named parts            numbers that go on in the successor: the restart budget, the counters of connections, the metrics
 *
 * Owns     these entries: one cluster, one shared state and one inheritance in a process
 * Used by  master/handover.ts, master/inherited_sockets.ts, messages.ts, predecessor.ts, given_connections.ts, successor.ts,
 *          supervisor/replacing.ts, supervisor/supervisor.ts, supervisor/pid_file.ts, operate/app/app_primary.ts, operate/app/app_place.ts, operate/control/app_control.ts,
 *          operate/metrics/endpoints.ts, operate/metrics/reader.ts,
 *          shared_state/server/primary.ts, shared_state/server/proxy.ts
 * Uses     nothing but types
 * Keeps    a part that registers after the values of the predecessor have come gets them at once
 */
import type { NativeHandle } from '../native/bindings';

/** A listening address, as the worker that listened there first has asked for it. */
export interface AddressQuery {
  readonly address: string | null;
  readonly port: number | null;
  readonly addressType: string | number | null;
  readonly fd: number | null;
  readonly index: number;
  /** true: systemd has passed this socket. The successor keeps it open, too, and its path stays. */
  readonly kept?: boolean;
  /** No worker listens there now, and for so many milliseconds clients may wait for one (`keepListening`). The workers of the successor need not listen there. */
  readonly vacantMs?: number;
}

/** One listening address of this process. `handle` is borrowed. `data`: what all of its servers share (TLS ticket keys). */
export interface Address {
  readonly id: number;
  readonly query: AddressQuery;
  readonly data: unknown;
  readonly handle: NativeHandle;
}

/** Takes a connection of an address (transferred). `moved`: a worker had it before. False: it takes none now, and the caller keeps it until `giveMore`. */
export type GiveConnection = (id: number, connection: NativeHandle, moved: boolean) => boolean;

/** The addresses of the cluster of this process. */
export interface Addresses {
  /** Those that can be handed over now. */
  listening(): readonly Address[];
  /** Every connection that waits here, is accepted, or comes back from a worker, goes to `give` from now on. */
  handOver(give: GiveConnection): void;
  /** `give` takes connections again. */
  giveMore(): void;
  /** Accepts no more. */
  stopAccepting(): void;
  /** How many connections wait. */
  readonly queued: number;
  /** Takes a connection (transferred) that the successor did not get. False: nobody listens there any more, and the caller keeps it. */
  takeBack(id: number, connection: NativeHandle, moved: boolean): boolean;
  /** Accepts again. `lost`: so many connections have gone with the successor. */
  resume(lost: number): void;
  /**
   * Takes a connection (transferred) that an address with this id got in the predecessor. False: nobody listens there, and the
   * caller keeps it. Otherwise `ended` is called once: true when a worker has it, false when it was closed without one.
   */
  adopt(id: number, connection: NativeHandle, moved: boolean, ended: (taken: boolean) => void): boolean;
  /** May this connection wait at an address without a worker, where `waiting` others do? The limits of the cluster decide. */
  mayWait(waiting: number, connection: NativeHandle): boolean;
  /** Begins to accept at the addresses that came from the predecessor. */
  serve(): void;
  /** This process leaves: its copies of the listening sockets keep it alive no longer. */
  release(): void;
}

/** An address that a successor has from its predecessor, until a worker listens there. `handle` is transferred to who takes it. */
export interface InheritedAddress {
  readonly id: number;
  readonly query: AddressQuery;
  readonly data: unknown;
  readonly handle: NativeHandle;
}

/** Leads to the shared state of the predecessor. `message`: of the process with this key; null: that process has ended. */
export interface StateLink {
  send(key: number, id: number, message: object | null): void;
}

/** The shared state of a successor, until it has that of its predecessor. */
export interface InheritedState {
  /** The predecessor has a shared state, to which the link leads; null: it has none. */
  began(link: StateLink | null): void;
  /** The server of the predecessor has sent this to the process with this key. */
  received(key: number, message: unknown): void;
  /** The state comes over. `handled`: how many messages of the link are in it. */
  switched(handled: number, snapshot: unknown): void;
  /** The predecessor has died with it. */
  lost(): void;
}

/** The shared state of this process, for a successor: processes of that one, by their keys, use it until it comes over. */
export interface SharedStateHere {
  receive(key: number, id: number, message: unknown, reply: (message: object) => void): void;
  /** The successor has ended: so have its processes. */
  endAll(): void;
  /** The whole state; nothing is done here afterwards. */
  snapshot(): unknown;
}

/** What a successor has from its predecessor. */
export interface Inheritance {
  /** Has the predecessor given everything, or ended? From then on this process accepts; before, the predecessor accepts for it. */
  readonly isAlone: boolean;
  /** The shared state of this process was opened. */
  openState(state: InheritedState): void;
  /** The process of the predecessor. */
  readonly predecessor: number;
  /** Is this process the primary of its app? False until the predecessor says so. */
  readonly isServing: boolean;
  /** The listening socket of this name (transferred); null if the predecessor had none, or if it was taken. */
  takeSocket(name: string): NativeHandle | null;
  /** All sockets whose names begin with `prefix` (transferred). */
  takeSockets(prefix: string): readonly { readonly name: string; readonly handle: NativeHandle }[];
  /** Calls back when this process becomes the primary; at once if it is. */
  onServing(callback: () => void): void;
  /** Calls back when the predecessor was told to stop, once this process serves. */
  onStop(callback: (now: boolean) => void): void;
  /** Are all addresses here? If not, `callback` is called when they are. */
  isComplete(callback: () => void): boolean;
  /** The address that this query means; null if the predecessor does not listen there. */
  take(query: AddressQuery): InheritedAddress | null;
  /** Does the predecessor listen on this fd? */
  hasFd(fd: number): boolean;
  /** All workers are ready. */
  ready(): void;
  /** The workers cannot be kept running. */
  failed(reason: string): void;
}

/** Numbers that go on in the successor. `adopt` gets what `snapshot` returned in the predecessor, perhaps of another version: it checks it. */
export interface Part {
  snapshot(): unknown;
  adopt(value: unknown): void;
}

/** A path, a lock or a port: only one of the two primaries can have it. */
export interface Place {
  /** The process `successor` is about to serve: this one gives the place up to it, at once. */
  leave(successor: number): void;
  /** The successor has ended after that: this process takes the place again. */
  takeAgain(): void;
}

interface Registry {
  state: SharedStateHere | null;
  /** Listening sockets of the primary itself, by their names. */
  readonly sockets: Map<string, () => NativeHandle | null>;
  readonly places: Set<Place>;
  addresses: Addresses | null;
  inheritance: Inheritance | null;
  readonly parts: Map<string, Part>;
  /** The values that came for parts, by their names. */
  values: Readonly<Record<string, unknown>>;
}

const registry: Registry = { addresses: null, inheritance: null, state: null, places: new Set(), sockets: new Map(), parts: new Map(), values: {} };

/** The addresses of the cluster of this process; null if it has no cluster of ours. */
export const addressesHere = (): Addresses | null => registry.addresses;

/** The cluster of this process has these addresses. */
export function registerAddresses(addresses: Addresses): void {
  registry.addresses = addresses;
}

/** What this process has from its predecessor; null if it has none. */
export const inheritanceHere = (): Inheritance | null => registry.inheritance;

/** This process is a successor. */
export function registerInheritance(inheritance: Inheritance): void {
  registry.inheritance = inheritance;
}

/** The shared state of this process, the one that was opened first; null if there is none. */
export const stateHere = (): SharedStateHere | null => registry.state;

/** The shared state of this process was opened. The returned function takes that back. */
export function registerState(state: SharedStateHere): () => void {
  registry.state ??= state;
  return () => {
    if (registry.state === state) registry.state = null;
  };
}

/** Adds a place. The returned function removes it. */
export function registerPlace(place: Place): () => void {
  registry.places.add(place);
  return () => void registry.places.delete(place);
}

/** The process `successor` is about to serve: every place is given up to it. */
export const leavePlaces = (successor: number): void => callEach([...registry.places].map((place) => () => place.leave(successor)));

/** The successor has ended after that: every place is taken again. */
export const takePlacesAgain = (): void => callEach([...registry.places].map((place) => () => place.takeAgain()));

/** Calls all of them, also after one that throws. A process warning says what it has thrown: the handover goes on without that part. */
export function callEach(calls: readonly (() => void)[]): void {
  for (const call of calls) {
    try {
      call();
    } catch (error) {
      process.emitWarning(`A part of this process did not follow the upgrade of its primary: ${error instanceof Error ? error.message : String(error)}`, { type: 'UpgradeWarning', code: 'CLUSTER_INTERNALS_UPGRADE' });
    }
  }
}

/** Adds a listening socket of the primary itself. `handle` returns it (borrowed), or null while it is closed, or is one of the addresses. */
export function registerSocket(name: string, handle: () => NativeHandle | null): void {
  registry.sockets.set(name, handle);
}

/** The sockets that are open now (borrowed), by their names. */
export function socketsHere(): readonly { readonly name: string; readonly handle: NativeHandle }[] {
  return [...registry.sockets].flatMap(([name, handleOf]) => {
    const handle = handleOf();
    return handle === null ? [] : [{ name, handle }];
  });
}

/** Adds a part. One with the name of an earlier one replaces it. */
export function registerPart(name: string, part: Part): void {
  registry.parts.set(name, part);
  if (Object.hasOwn(registry.values, name)) part.adopt(registry.values[name]);
}

/** The values of all parts, as of now. */
export function snapshotParts(): Record<string, unknown> {
  return Object.fromEntries([...registry.parts].map(([name, part]) => [name, part.snapshot()]));
}

/** Gives the values of the predecessor to the parts of these names, now or when they register. */
export function adoptParts(values: Readonly<Record<string, unknown>>): void {
  registry.values = values;
  for (const [name, part] of registry.parts) if (Object.hasOwn(values, name)) part.adopt(values[name]);
}
