/**
 * The only file that touches Node's private surface: the native stream classes behind
 * `process.binding`, the `_handle` of sockets and servers, and the native spawn. Everything that a
 * new Node version may move is here; the rest of the project sees the functions below.
 *
 * Owns     nothing. A handle that is passed in stays the caller's; one that is returned is the
 *          caller's too. Each function says whether it *borrows* or *transfers* one.
 * Used by  channel/ (pipes, spawn), master/ (listening handles), child/ (closing)
 * Never    imports anything of this project; never copies Node's code: these are facts about its
 *          interface, each held by a test in test/unit/native.test.ts
 * Node     works alike on 20, 22, 24 and 26; where they differ, the function says how.
 */
/* eslint-disable @typescript-eslint/no-explicit-any */
import type { ChildProcess } from 'node:child_process';
import { fstatSync, readFileSync } from 'node:fs';
import type { Socket as DatagramSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import { Buffer, Number, NativeObject, Set, subarray } from './builtins';

/** A native libuv handle: long-lived, owns one fd until `close`. */
export interface NativeHandle {
  readonly fd?: number;
  close(closed?: () => void): void;
  ref(): void;
  unref(): void;
  hasRef?(): boolean;
}

/** A listening or bound native handle; what `net.Server` holds. */
export interface ListeningHandle extends NativeHandle {
  onconnection: ((errno: number, connection: NativeHandle) => void) | null;
  listen?(backlog: number): number;
  getsockname?(out: object): number;
}

/** A native pipe. Opaque: the functions below read from it and write to it. */
export interface NativePipe extends NativeHandle {
  readonly writeQueueSize: number;
}

// process.binding is deprecated in documentation only; with --pending-deprecation it would print a
// warning about our call, which tells the app's author nothing. Under --no-deprecation the property
// is there already, and cannot be written.
function binding(name: string): any {
  const quiet = process as { noDeprecation?: boolean };
  if (quiet.noDeprecation === true) return (process as any).binding(name);
  const before = NativeObject.getOwnPropertyDescriptor(process, 'noDeprecation');
  quiet.noDeprecation = true;
  try {
    return (process as any).binding(name);
  } finally {
    if (before === undefined) delete quiet.noDeprecation;
    else NativeObject.defineProperty(process, 'noDeprecation', before);
  }
}

/**
 * The native streams: of Node's private surface, which the permission model denies to all but Node itself.
 * Without them there is no channel of ours; everything else in this file works.
 */
const natives: any = nativeStreams();
/** May this process open a channel of ours? */
export const canOpenChannels: boolean = natives !== null;
const { Pipe, TCP, UDP, pipeConstants, WriteWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = natives ?? {};

function nativeStreams(): any {
  try {
    const { Pipe, constants } = binding('pipe_wrap');
    return { Pipe, pipeConstants: constants, TCP: binding('tcp_wrap').TCP, UDP: binding('udp_wrap').UDP, ...binding('stream_wrap') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_ACCESS_DENIED') throw error;
    return null;
  }
}

/** Is this process denied to listen? From 25 on the permission model asks; before, net is no right of its own. */
export const isNetDenied = (): boolean =>
  !canOpenChannels && process.allowedNodeEnvironmentFlags.has('--allow-net') && (process as any).permission?.has('net') === false;

/** libuv's numbers for what goes wrong, on Linux. */
export const UV_EOF = -4095;
/** An address that cannot be one. */
export const UV_EINVAL = -22;
/** An address that is taken. */
export const UV_EADDRINUSE = -98;
/** No right to do that. */
export const UV_EACCES = -13;
/** No more fds, of the process or of a worker's share. */
export const UV_EMFILE = -24;

/** The flag bit of a query that says IPv6 only. */
export const UV_TCP_IPV6ONLY = 1;

// ── pipes ────────────────────────────────────────────────────────────────────────────────────────

/** A pipe over which fds can pass, not yet connected to anything. */
export function newPipe(): NativePipe {
  return new Pipe(pipeConstants.IPC);
}

/** A pipe over an fd that this process inherited; the pipe owns the fd from now on. Throws on an fd that is no pipe. */
export function openPipe(fd: number): NativePipe {
  const pipe = new Pipe(pipeConstants.IPC);
  const errno = pipe.open(fd);
  if (errno) {
    pipe.close();
    throw new Error(`fd ${fd} is not a pipe that the channel could open (${errno})`);
  }
  return pipe;
}

/** Where the bytes of all pipes arrive, always: what is read is used up or copied in the callback. In bytes: 64 KiB. */
const room = Buffer.allocUnsafeSlow(65536);

/**
 * Starts reading. `onBytes` gets each chunk (borrowed until it returns) and the handle whose fd came
 * with it (transferred). `onEnd` is called once, with UV_EOF or the error. Returns a negative errno if
 * reading cannot start.
 *
 * The bytes always lie at the start of `room`. What our callback returns is only how many bytes of it
 * libuv may fill: Node drops that value when a tick inside the callback throws, and then the next read
 * is shorter or longer than we wanted, and nothing else.
 *
 * libuv goes on to read in the same turn of the event loop as long as a read fills its buffer (up to
 * 32 times), and the kernel ends a read at a message that carries an fd. So behind one of those the
 * next read may be as long as that message: when many of one length wait, all are read in one turn.
 */
export function readPipe(
  pipe: NativePipe, onBytes: (chunk: Uint8Array, handle: NativeHandle | null) => void, onEnd: (errno: number) => void,
): number {
  const native = pipe as any;
  let carried = false;
  let fitting: Uint8Array = room;
  native.pendingHandle = null;
  native.onread = (): Uint8Array | undefined => {
    const count = streamBaseState[kReadBytesOrError];
    // The kernel ends a read at a message that carries an fd, so there is at most one here.
    const handle = native.pendingHandle;
    if (handle !== null) native.pendingHandle = null;
    if (count > 0) {
      carried = handle !== null;
      if (carried && fitting.length !== count) fitting = subarray(room, 0, count);
      onBytes(carried ? fitting : subarray(room, 0, count), handle);
      return carried ? fitting : room;
    }
    if (count === UV_EOF && carried && native.readStart() === 0) {
      // libuv takes a short read from a pipe whose other end is closed for the last one. A read that an
      // fd has ended is short with more behind it: only an end that follows no fd is the end.
      carried = false;
    } else if (count < 0) {
      native.onread = () => {};
      onEnd(count);
    }
    return undefined;
  };
  native.useUserBuffer(room);
  return native.readStart();
}

/** Stops reading; nothing is read until the pipe is closed. */
export function stopReading(pipe: NativePipe): void {
  (pipe as any).readStop();
}

/** What became of a write: done, on its way (then `onDone` comes), or a negative errno. */
export const WRITTEN = 0;
/** On its way: `onDone` will say how it ended. */
export const PENDING = 1;

/**
 * Writes text or bytes, and with them the fd of `handle` (borrowed until the write is done).
 * Returns WRITTEN if the kernel took everything, PENDING if `onDone(status, about)` will be called, or
 * a negative errno. A write that carries a handle is always PENDING. `onDone` can be one for all writes.
 */
export function writePipe<About>(
  pipe: NativePipe, data: string | Uint8Array, handle: NativeHandle | null, onDone: (status: number, about: About) => void, about: About,
): number {
  const request = new WriteWrap();
  request.onDone = onDone;
  request.about = about;
  request.oncomplete = writeDone;
  if (typeof data !== 'string') request.buffer = data; // The write reads from it until it is done: nobody else may hold it.
  const native = pipe as any;
  const errno = typeof data === 'string'
    ? native.writeUtf8String(request, data, handle ?? undefined)
    : native.writeBuffer(request, data, handle ?? undefined);
  if (errno !== 0) return errno;
  return streamBaseState[kLastWriteWasAsync] ? PENDING : WRITTEN;
}

function writeDone(this: any, status: number): void {
  this.onDone(status, this.about);
}

// ── spawning ─────────────────────────────────────────────────────────────────────────────────────

/** A child that Node's child_process is about to start: its own code has checked and completed what the caller gave. */
export interface PreparedSpawn {
  /** The program. */
  readonly file: unknown;
  /** The directory it starts in; this process's, if there is none. */
  readonly cwd?: unknown;
  /** The user and the group of the child; this process's, if there are none. */
  readonly uid?: unknown;
  readonly gid?: unknown;
  /** As the caller wrote it: each entry may be anything. */
  stdio?: unknown;
  readonly serialization?: 'json' | 'advanced';
  /** `NAME=value`, each. */
  readonly envPairs?: readonly string[];
  /** With the name of the program in front. */
  readonly args?: readonly string[];
}

/**
 * Shows `begin` each child that this process starts, before it is started, until the returned function
 * is called. `spawn`, `fork` and all others of Node's child_process meet in this method. `begin` calls
 * `start`, once, and returns what that returned. It has to expect children that are not its own: what Node calls in
 * an app (a getter, a proxy) may start others.
 */
export function interceptSpawn(begin: (child: ChildProcess, options: PreparedSpawn, start: () => number) => number): () => void {
  // Required here, since a worker that never forks need not load it.
  const { prototype } = (require('node:child_process') as any).ChildProcess;
  const before = prototype.spawn;
  const { spawn } = {
    spawn(this: ChildProcess, options: PreparedSpawn): number {
      return begin(this, options, () => before.call(this, options));
    },
  };
  prototype.spawn = spawn;
  return () => {
    // Somebody who has put another in its place since keeps that.
    if (prototype.spawn === spawn) prototype.spawn = before;
  };
}

/** What a child is started with beside its stdio. */
export interface Spawned {
  readonly args: readonly string[];
  readonly envPairs: readonly string[];
}

/**
 * Gives a child `pipe` (borrowed) as fd number `slot` in place of what its stdio array says there, and
 * `changed` arguments and environment. `start` is that of `interceptSpawn`. Only this child's native
 * spawn is intercepted: the stdio array is `options.stdio` on 20 and 22; from 24 on file, arguments,
 * cwd, environment and stdio are arguments of their own.
 */
export function startWithPipe(
  child: ChildProcess, pipe: NativePipe, slot: number, changed: (given: Spawned) => Spawned, start: () => number,
): number {
  const native = (child as any)._handle;
  native.spawn = (...given: any[]): number => {
    delete native.spawn;
    const [options] = given;
    const apart = given.length > 1;
    const { args, envPairs } = changed(apart
      ? { args: given[1] ?? [given[0]], envPairs: given[3] ?? [] }
      : { args: options.args ?? [options.file], envPairs: options.envPairs ?? [] });
    // A copy: Node wraps a net.Socket around every handle that it finds in its own array afterwards.
    const stdio = (apart ? given[4] : options.stdio).with(slot, { __proto__: null, type: 'pipe', handle: pipe });
    if (apart) return native.spawn(given[0], args, given[2], envPairs, stdio, ...given.slice(5));
    return native.spawn({ __proto__: null, ...options, args, envPairs, stdio });
  };
  try {
    return start();
  } finally {
    delete native.spawn;
  }
}

/**
 * A ChildProcess emits 'close' when it has exited and all its streams have ended. This makes it
 * wait for one thing more; the function that is returned says that it has ended.
 */
export function delayClose(child: ChildProcess): () => void {
  const counts = child as any;
  counts._closesNeeded++;
  return () => {
    counts._closesGot++;
    if (counts._closesGot === counts._closesNeeded) child.emit('close', child.exitCode, child.signalCode);
  };
}

/** Is this called by Node's own channel with that child, as it reads? Listeners to its messages are called later. */
export function isReadingChannel(child: ChildProcess): boolean {
  const symbol = NativeObject.getOwnPropertySymbols(child).find((own) => own.description === 'kChannelHandle');
  const handle = symbol === undefined ? undefined : (child as any)[symbol];
  return handle !== undefined && handle !== null && handle.getAsyncId() === (require('node:async_hooks') as typeof import('node:async_hooks')).executionAsyncId();
}

/** Is this process inside 'exit' listeners or past them? What is written now must be written at once. */
export function isExiting(): boolean {
  return (process as any)._exiting === true;
}

/** Is this process a program that carries its Node in its own file? Such a file reads no flag that it is given. */
export function isSingleExecutable(): boolean {
  return require('node:sea').isSea();
}

// ── what a handle is ─────────────────────────────────────────────────────────────────────────────

/** Is this a native TCP handle, listening or connected? */
export const isTcp = (handle: unknown): handle is NativeHandle => isOf(handle, TCP, 'TCP');
/** Is this a native handle of a unix socket? */
export const isPipe = (handle: unknown): handle is NativeHandle => isOf(handle, Pipe, 'Pipe');
/** Is this a native UDP handle? */
export const isUdp = (handle: unknown): handle is NativeHandle => isOf(handle, UDP, 'UDP');

const isOf = (handle: unknown, of: any, name: string): boolean =>
  (of === undefined ? (handle as any)?.constructor?.name === name : handle instanceof of);

/** The native handle of a socket or server (borrowed), or null where it has none. */
export function handleOf(object: Socket | Server): NativeHandle | null {
  return (object as any)._handle ?? null;
}

/** The server or socket that has taken this handle as its own; null for one that nobody took. */
export function ownerOf(handle: NativeHandle): { close?(closed: () => void): void } | null {
  const symbol = NativeObject.getOwnPropertySymbols(handle).find((own) => own.description === 'owner_symbol');
  return symbol ? (handle as any)[symbol] ?? null : null;
}

/** The native handle of a dgram socket (borrowed); Node keeps it behind a symbol, on 26 only there. */
export function datagramHandleOf(socket: DatagramSocket): NativeHandle | null {
  const symbol = NativeObject.getOwnPropertySymbols(socket).find((own) => own.description === 'state symbol');
  return symbol ? (socket as any)[symbol]?.handle ?? null : null;
}

/** 'udp4' or 'udp6'. */
export function datagramType(socket: DatagramSocket): 'udp4' | 'udp6' {
  return (socket as any).type;
}

/** The server that accepted this socket, and the name under which it counts sent sockets. */
export function serverOf(socket: Socket): { server: Server; key: string } | null {
  const { server } = socket as any;
  return server ? { server, key: server._connectionKey } : null;
}

/** The part of a count that another process holds: what `net.Server` asks in getConnections and close. */
export interface RemoteCount {
  getConnections(counted: (error: Error | null, count: number) => void): void;
  close(closed: (error: Error | null) => void): void;
  /** 'exit', with the count itself, when that process is gone. */
  once(event: 'exit', gone: (count: RemoteCount) => void): this;
}

/**
 * Lets a server count and await sockets that another process holds. Node leaves a server in this
 * mode for good, in which neither method answers once all such processes are gone (I-53, D21).
 */
export function countElsewhere(server: Server, count: RemoteCount): void {
  const owner = server as any;
  owner._setupWorker(count);
  count.once('exit', () => {
    if (owner._workers.length === 0) owner._usingWorkers = false;
  });
}

/**
 * Keeps a server from emitting 'close', though it may be closed and have no connections. The function that is
 * returned lets it, and makes up for what it has held back. Node asks by this method whenever one of both changes.
 */
export function holdClose(server: object): () => void {
  const held = server as any;
  const own = NativeObject.getOwnPropertyDescriptor(held, '_emitCloseIfDrained');
  let asked = false;
  const value = (): void => { asked = true; };
  NativeObject.defineProperty(held, '_emitCloseIfDrained', { value, configurable: true, writable: true, enumerable: false });
  return () => {
    if (own === undefined) delete held._emitCloseIfDrained;
    else NativeObject.defineProperty(held, '_emitCloseIfDrained', own);
    if (asked) held._emitCloseIfDrained?.();
  };
}

/**
 * Takes a socket out of the hands of whoever reads it here, so that another process can: no timer,
 * no HTTP parser, no handle, no longer counted by its server. The handle is transferred to the caller.
 */
export function detachSocket(socket: Socket): NativeHandle | null {
  const owner = socket as any;
  const handle: NativeHandle | null = owner._handle ?? null;
  if (handle === null) return null;
  socket.setTimeout(0);
  if (owner.parser) releaseParser(owner);
  if (owner.server) owner.server._connections--;
  (handle as any).onread = () => {};
  owner._handle = null;
  return handle;
}

/** An HTTP parser reads straight from the native handle; without it the socket is a plain one again. */
function releaseParser(socket: any): void {
  const { parser } = socket;
  if (typeof parser.unconsume === 'function') parser.unconsume();
  parser.remove?.();
  socket.parser = null;
}

/** A `net.BoundSocket`: Node has them from 24 on, and sends them from 26 on. */
export interface BoundSocket {
  readonly isPipe?: boolean;
}

const symbolOf = (object: object, description: string): symbol | undefined =>
  NativeObject.getOwnPropertySymbols(NativeObject.getPrototypeOf(object)).find((own) => own.description === description);

/** Does this Node send such an object? Of those that are bound to a path it sends none. */
export function isSendableBoundSocket(value: unknown): value is BoundSocket {
  const { BoundSocket } = require('node:net') as any;
  return BoundSocket !== undefined && value instanceof BoundSocket
    && symbolOf(value as object, 'messaging_transfer_symbol') !== undefined && !(value as BoundSocket).isPipe;
}

/** Takes the handle out of a bound socket, which is used up then. Throws Node's error where it is already. */
export function detachBoundSocket(bound: BoundSocket): NativeHandle {
  return (bound as any)[symbolOf(bound, 'messaging_transfer_symbol') as symbol]().data.handle;
}

/** Can `boundSocketOn` build one here? */
export const hasBoundSockets = (): boolean => '_TransferredBoundSocket' in require('node:net');

/** A bound socket around a native TCP handle (transferred). */
export function boundSocketOn(handle: NativeHandle): BoundSocket {
  const bound = new (require('node:net') as any)._TransferredBoundSocket();
  bound[symbolOf(bound, 'messaging_deserialize_symbol') as symbol]({ handle });
  return bound;
}

/** The fds of the handles that this program holds, by Node's list: of those that keep it running. */
export function ownFds(): Set<number> {
  const objects: any[] = (process as any)._getActiveHandles?.() ?? [];
  return new Set(objects.flatMap((object) => {
    const handle = object._handle ?? object;
    return typeof handle.fd === 'number' && handle.fd >= 0 ? [handle.fd as number] : [];
  }));
}

// ── listening ────────────────────────────────────────────────────────────────────────────────────

/**
 * Makes the handle that `server` is going to listen on one that can be told to stop accepting. Call it
 * before `listen`. libuv lets only a readable stream start and stop reading, and takes one that was
 * opened on an fd for readable; a bound handle opened on its own fd is that, and the same as before.
 */
export function makePausable(server: Server): void {
  let handle: any = null;
  NativeObject.defineProperty(server, '_handle', {
    configurable: true,
    enumerable: true,
    get: () => handle,
    set(bound: any) {
      handle = bound;
      if (bound !== null && bound.fd >= 0) bound.open(bound.fd);
    },
  });
}

/** Accepts from now on, or leaves what comes in the kernel's backlog. For a handle that `makePausable` has seen. */
export function setAccepting(handle: ListeningHandle, accepting: boolean): void {
  const native = handle as any;
  // The first stop needs a start: libuv does not know yet that it reads.
  native.readStart();
  if (!accepting) native.readStop();
}

/** Takes the listening handle out of a server: the server is an empty shell afterwards, the handle the caller's. */
export function takeListeningHandle(server: Server): ListeningHandle {
  const shell = server as any;
  const handle = shell._handle as ListeningHandle;
  shell._handle = null;
  handle.onconnection = null;
  return handle;
}

/** A TCP or pipe handle, bound and not listening, or a negative errno. */
export function bindStream(
  address: string | null, port: number, addressType: number | null, fd: number | undefined, flags: number | undefined,
): ListeningHandle | number {
  if (port > HIGHEST_PORT || !Number.isInteger(port) || address === '') return UV_EINVAL;
  const net = require('node:net') as any;
  let handle: ListeningHandle | number;
  try {
    handle = net._createServerHandle(address, port, addressType, fd, flags);
  } catch {
    return UV_EINVAL; // A combination that no `listen` asks for, like an fd with an address.
  }
  if (typeof handle === 'number') return handle;
  // That a port is taken libuv says only when the handle is asked for its name, or listened on.
  const name = socketName(handle);
  if (typeof name !== 'number') return handle;
  handle.close();
  return name;
}

const HIGHEST_PORT = 65535;

/** A bound UDP handle, or a negative errno. With `fd` an inherited socket, which it owns from then on. */
export function bindDatagram(
  address: string | null, port: number | null, type: 'udp4' | 'udp6', fd: number | undefined, flags: number | null | undefined,
): NativeHandle | number {
  if (fd !== undefined && fd > 0 && !isUdpFd(fd)) return UV_EINVAL;
  const handle = new (UDP ?? datagramClass())();
  let errno: number;
  if (fd !== undefined && fd > 0) errno = handle.open(fd);
  else if (type === 'udp6') errno = handle.bind6(address || '::', port || 0, flags || 0);
  else errno = handle.bind(address || '0.0.0.0', port || 0, flags || 0);
  if (errno) {
    handle.close();
    return errno;
  }
  return handle;
}

/** The class of native UDP handles, where the binding that has it is denied. */
function datagramClass(): any {
  const socket = (require('node:dgram') as typeof import('node:dgram')).createSocket('udp4');
  const { constructor } = datagramHandleOf(socket) as object;
  socket.close();
  return constructor;
}

/**
 * Is this fd a UDP socket? libuv opens whatever it is given, and closes it afterwards, so the kernel is
 * asked first. It lists bound sockets only; one that is not bound receives nothing anyway.
 */
function isUdpFd(fd: number): boolean {
  try {
    const socket = fstatSync(fd);
    const listed = new RegExp(` ${socket.ino} \\d+ [0-9a-f]+ \\d+\\s*$`, 'm');
    return socket.isSocket() && ['udp', 'udp6'].some((table) => listed.test(readFileSync(`/proc/self/net/${table}`, 'utf8')));
  } catch {
    return false; // No such fd, or no right to ask.
  }
}

/** The local name of a handle, or a negative errno; null for a handle that has none (a pipe). */
export function socketName(handle: ListeningHandle): { address: string; family: string; port: number } | number | null {
  if (typeof handle.getsockname !== 'function') return null;
  const name = {} as { address: string; family: string; port: number };
  const errno = handle.getsockname(name);
  return errno ? errno : name;
}

/** The remote address of a connection; nothing where it has none (a unix socket, a client that has gone). */
export function peerName(connection: NativeHandle): { remoteAddress?: string; remotePort?: number } {
  const native = connection as any;
  const name = {} as { address?: string; port?: number };
  if (typeof native.getpeername !== 'function' || native.getpeername(name) !== 0) return {};
  return { remoteAddress: name.address as string, remotePort: name.port as number };
}

/** The major version of the Node that this runs on. */
export const nodeMajor = Number.parseInt(process.versions.node, 10);
