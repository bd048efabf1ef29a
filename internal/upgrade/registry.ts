/**
 * What of this process takes part when its primary is replaced. Each part registers itself here, so that none of them knows
 * of the others, nor of the code that replaces a primary.
 *
 *   master/                the listening addresses, and the connections that are not with a worker
 *   shared_state/server/   the shared state
 *   named parts            numbers that go on in the successor: the restart budget, the counters of connections, the metrics
 *
 * Owns     these entries: one cluster, one shared state and one inheritance in a process
 * Used by  master/handover.ts, messages.ts, predecessor.ts, successor.ts, supervisor/replacing.ts, supervisor/supervisor.ts,
 *          operate/metrics/reader.ts
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
}

/** One listening address of this process. `handle` is borrowed. `data`: what all of its servers share (TLS ticket keys). */
export interface Address {
  readonly id: number;
  readonly query: AddressQuery;
  readonly data: unknown;
  readonly handle: NativeHandle;
}

/** Takes a connection of an address (transferred). `moved`: a worker had it before. */
export type GiveConnection = (id: number, connection: NativeHandle, moved: boolean) => void;

/** The addresses of the cluster of this process. */
export interface Addresses {
  /** Those that can be handed over now. */
  listening(): readonly Address[];
  /** Accepts no more. Every connection that waits here, and each that comes back from a worker, goes to `give`. */
  handOver(give: GiveConnection): void;
  /** Takes a connection (transferred) that the successor did not get. False: nobody listens there any more, and the caller keeps it. */
  takeBack(id: number, connection: NativeHandle, moved: boolean): boolean;
  /** Accepts again. `lost`: so many connections have gone with the successor. */
  resume(lost: number): void;
  /** Takes a connection (transferred) that an address with this id got in the predecessor. False: nobody listens there, and the caller keeps it. */
  adopt(id: number, connection: NativeHandle, moved: boolean): boolean;
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

/** What a successor has from its predecessor. */
export interface Inheritance {
  /** Does this process accept? False until the predecessor says so. */
  readonly isServing: boolean;
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

interface Registry {
  addresses: Addresses | null;
  inheritance: Inheritance | null;
  readonly parts: Map<string, Part>;
  /** The values that came for parts, by their names. */
  values: Readonly<Record<string, unknown>>;
}

const registry: Registry = { addresses: null, inheritance: null, parts: new Map(), values: {} };

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
