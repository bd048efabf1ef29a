/**
 * The listening sockets that systemd has passed to this process (sd_listen_fds(3)): LISTEN_FDS of them from fd 3 on, if
 * LISTEN_PID is this process. When a worker listens at the address of one, that socket is used in place of a bind.
 *
 *   a worker asks for            it gets the socket at
 *   port 8000, no address        [::]:8000, else 0.0.0.0:8000, else the first one with that port: the unit decides where
 *   port 8000 at :: or 0.0.0.0   that address, else the other of the two
 *   port 8000 at an address      exactly that address
 *   a path                       exactly that path
 *   fd 3                         fd 3
 *
 *   A primary that replaces this one (upgrade/) gets all of them: those at which workers listen with their addresses, the
 *   others by `NAME`. There, an fd means the number that systemd has given to the socket.
 *
 * Owns     a native handle on each of these sockets, until this process ends. A server handle that closes gives it back
 * Used by  listen_table.ts, index.ts (which variables are not for workers)
 * Uses     inherited_fds.ts (which fds are connections), native/listening.ts, upgrade/registry.ts
 * Never    throws. Never uses an fd that may be something else: it leaves that open, and a process warning says why
 * Keeps    1. a socket serves one address at a time. A second one is bound as without systemd, and gets EADDRINUSE
 *          2. a socket at which nobody listens stays open and accepts nothing: its clients wait in the kernel, as they do
 *             before systemd starts a service
 * Decided  a backlog that the app does not name is as long as the kernel allows, as in a socket unit by default: `listen`
 *          sets it anew, and the one before cannot be asked for
 */
import { fstatSync, readFileSync } from 'node:fs';
import { isIPv6, SocketAddress } from 'node:net';
import path from 'node:path';
import { JSON, Map, Number, String, push } from '../builtins';
import { namesFd, type QueryServer } from '../messages';
import { UV_TCP_IPV6ONLY, type NativeHandle } from '../native/bindings';
import { isTcp } from '../native/handles';
import { bindDatagram, bindStream, keepOpen, socketName } from '../native/listening';
import { inheritanceHere, registerSocket } from '../upgrade/registry';
import { mayListenOn } from './inherited_fds';

/** The first fd that systemd passes: SD_LISTEN_FDS_START. */
const FIRST_FD = 3;
/** More sockets than any unit has. Each fd is looked at when the first worker is forked. */
const MOST = 1024;
/** The name of a socket at which no worker listens begins so, for a primary that replaces this one. JSON follows: what systemd calls the socket. */
const UNUSED = 'LISTEN_FDS ';
/** The kernel takes its own limit (net.core.somaxconn) for a backlog that is longer. */
const LONGEST_BACKLOG = 2 ** 31 - 1;

/** A socket that systemd has passed, as a program sees it. */
export interface InheritedSocket {
  readonly fd: number;
  /** Its name in LISTEN_FDNAMES: that of the socket unit, or its `FileDescriptorName=`. '' if there is none. */
  readonly name: string;
  /** An IP address, or the path of a unix socket (abstract ones begin with \0). */
  readonly address: string;
  /** null for a unix socket. */
  readonly port: number | null;
  /** Does a worker listen there? */
  readonly used: boolean;
}

interface Entry extends Omit<InheritedSocket, 'used'> {
  readonly kind: 'tcp' | 'unix' | 'udp4' | 'udp6';
  readonly handle: NativeHandle;
  used: boolean;
}

/** What the primary that replaces this one has to know of a socket at which no worker listens. */
interface About {
  readonly fd: number;
  readonly name: string;
  /** Of a unix socket, which does not know its own. */
  readonly path: string | null;
}

/** The variables of systemd. Workers do not get them: they mean the primary alone. */
export const LISTEN_VARIABLES = { LISTEN_PID: undefined, LISTEN_FDS: undefined, LISTEN_FDNAMES: undefined } as const;

/** The inherited sockets of one process. Make it once: it opens handles on the fds. */
export class InheritedSockets {
  readonly #entries: Entry[] = [];

  constructor(env: NodeJS.ProcessEnv = process.env, warn: (text: string) => void = emitWarning) {
    for (const entry of read(env, warn)) this.#add(entry);
  }

  /** All that can be used. */
  list(): InheritedSocket[] {
    return this.#entries.map(({ fd, name, address, port, used }) => ({ fd, name, address, port, used }));
  }

  /** A socket of systemd that has come from the primary before this one (transferred; the worker that has sent `query` uses it). */
  adopt(query: QueryServer, handle: NativeHandle): void {
    const opened = entryOf(handle, typeof query.fd === 'number' ? query.fd : handle.fd ?? -1, '', query.addressType === -1 ? pathOf(query.address ?? '') : null);
    if (typeof opened === 'string') return;
    opened.used = true;
    this.#add(opened);
  }

  /** Takes the sockets at which no worker of the primary before this one has listened. */
  adoptUnused(): void {
    for (const { name, handle } of inheritanceHere()?.takeSockets(UNUSED) ?? []) {
      const about = aboutUnused(name.slice(UNUSED.length));
      const opened = about === null ? 'is of another version' : entryOf(handle, about.fd, about.name, about.path);
      if (typeof opened === 'string') handle.close();
      else this.#add(opened);
    }
  }

  /** Is this the number of a socket that `take` would return for it? */
  hasUnused(fd: number): boolean {
    return this.#entries.some((entry) => entry.fd === fd && !entry.used);
  }

  #add(entry: Entry): void {
    push(this.#entries, entry);
    const { fd, name, kind, address, handle } = entry;
    const about: About = { fd, name, path: kind === 'unix' ? address : null };
    // The number of the entry, because another one of an earlier primary may have the same fd.
    registerSocket(`${UNUSED}${JSON.stringify({ ...about, at: this.#entries.length })}`, () => (entry.used ? null : handle));
  }

  /** The handle (transferred; its `close` gives it back) for this query, and the query for it; null: there is none. */
  take(query: QueryServer): { readonly handle: NativeHandle; readonly query: QueryServer } | null {
    const fitting = this.#entries.filter((entry) => rank(entry, query) !== null).sort((one, other) => (rank(one, query) ?? 0) - (rank(other, query) ?? 0));
    const entry = fitting.find(({ used }) => !used);
    if (entry === undefined) return null;
    entry.used = true;
    entry.handle.ref();
    return { handle: entry.handle, query: { ...query, backlog: query.backlog || LONGEST_BACKLOG } };
  }
}

/** What another primary has said of a socket; null: nothing that is understood here. */
function aboutUnused(text: string): About | null {
  let about: Partial<About> | null;
  try {
    about = JSON.parse(text) as Partial<About> | null;
  } catch {
    return null;
  }
  const { fd, name, path: at } = about ?? {};
  return typeof fd === 'number' && typeof name === 'string' && (at === null || typeof at === 'string') ? { fd, name, path: at } : null;
}

/** How well the socket fits: 0 is best; null: not at all. */
function rank(entry: Entry, query: QueryServer): number | null {
  if (namesFd(query)) return query.fd === entry.fd ? 0 : null;
  const { address, port, addressType, flags } = query;
  if (addressType === -1) return entry.kind === 'unix' && pathOf(address ?? '') === entry.address ? 0 : null;
  const isFitting = addressType === 'udp4' || addressType === 'udp6' ? entry.kind === addressType : entry.kind === 'tcp';
  if (!isFitting || !port || entry.port !== port) return null;
  const asked = normal(address || null);
  if (asked === null) return entry.address === '::' ? 0 : entry.address === '0.0.0.0' ? 1 : 2;
  if (asked === entry.address) return 0;
  const isOnly6 = ((flags ?? 0) & UV_TCP_IPV6ONLY) !== 0;
  return !isOnly6 && entry.kind === 'tcp' && isAny(asked) && isAny(entry.address) ? 1 : null;
}

const isAny = (address: string): boolean => address === '::' || address === '0.0.0.0';
/** The one form of an address of which IPv6 has many. */
const normal = (address: string | null): string | null => (address !== null && isIPv6(address) ? new SocketAddress({ address, family: 'ipv6' }).address : address);
const pathOf = (address: string): string => (address.startsWith('\0') ? address : path.resolve(address));

// ── what was passed ────────────────────────────────────────────────────────────────────────────────

function read(env: NodeJS.ProcessEnv, warn: (text: string) => void): Entry[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count = '', LISTEN_FDNAMES: names = '' } = env;
  if (pid !== String(process.pid)) return []; // They were meant for a process before this one.
  if (!/^\d+$/.test(count) || Number(count) > MOST) {
    warn(`LISTEN_FDS is '${count.slice(0, 40)}', which is no number of sockets: none is used`);
    return [];
  }
  const nameOf = names.split(':');
  const entries: Entry[] = [];
  const useless = new Map<string, number[]>();
  for (let index = 0; index < Number(count); index++) {
    const fd = FIRST_FD + index;
    const opened = open(fd, nameOf[index] ?? '');
    if (typeof opened === 'string') useless.set(opened, [...(useless.get(opened) ?? []), fd]);
    else push(entries, opened);
  }
  for (const [reason, fds] of useless) warn(`LISTEN_FDS promises fd ${fds.slice(0, 10).join(', ')}${fds.length > 10 ? ', …' : ''}, which ${reason}. It is not used`);
  return entries;
}

/** Opens a handle on an fd, or returns what is wrong with it. */
function open(fd: number, name: string): Entry | string {
  let inode;
  try {
    const about = fstatSync(fd);
    if (!about.isSocket()) return 'is not a socket';
    inode = about.ino;
  } catch {
    return 'is closed';
  }
  if (!mayListenOn(fd)) return 'is a connection and no listening socket, as with Accept=yes in its unit, or is in use by this program';
  const stream = bindStream(null, 0, null, fd, undefined);
  const handle = typeof stream === 'number' ? bindDatagram(null, null, 'udp4', fd, undefined) : stream;
  if (typeof handle === 'number') return 'is a socket of a kind that Node cannot listen on';
  return entryOf(handle, fd, name, unixPath(inode));
}

/** `path`: where the socket is, if it is a unix socket. Returns what is wrong with it, if it cannot be used. */
function entryOf(handle: NativeHandle, fd: number, name: string, path: string | null): Entry | string {
  const sockname = socketName(handle);
  if (typeof sockname === 'number') return 'has no address';
  const kind = sockname === null ? 'unix' : isTcp(handle) ? 'tcp' : sockname.family === 'IPv6' ? 'udp6' : 'udp4';
  const address = sockname === null ? path : sockname.address;
  if (address === null) return 'is a unix socket without a path';
  const entry: Entry = { fd, name, kind, address, port: sockname?.port ?? null, handle, used: false };
  keepOpen(handle, () => { entry.used = false; });
  return entry;
}

/** The path of the unix socket with this inode; null if it has none. The kernel lists a null byte as @; some programs fill an abstract path up with them. */
function unixPath(inode: number): string | null {
  try {
    const [, listed] = new RegExp(`^\\S+: (?:\\S+ ){5} *${inode} (.+)$`, 'm').exec(readFileSync('/proc/self/net/unix', 'utf8')) ?? [];
    return listed === undefined ? null : listed.startsWith('@') ? `\0${listed.slice(1).replace(/@+$/, '')}` : listed;
  } catch {
    return null;
  }
}

function emitWarning(text: string): void {
  process.emitWarning(text, { type: 'SystemdWarning', code: 'CLUSTER_INTERNALS_LISTEN_FDS' });
}
