/**
 * Idle HTTP/1 connections: which connections of a server are between two requests, how to take the native handle out of
 * such a connection, how to put it back, and how to let one wait that has come from another process.
 *
 * Only the parser knows whether a request has begun: it reads from the native handle directly, and half a request line
 * leaves no trace in the socket. Node keeps its parsers in a list (behind the symbol 'http.server.connections'), and
 * this list names those that are between two messages; `closeIdleConnections` uses it as well. A parser that has not
 * read anything yet is not among them, but then its socket has read 0 bytes.
 *
 * Used by  child/returns.ts, child/movable.ts, child/deliveries.ts, supervisor/worker/drain_connections.ts
 * Never    imports any other file of this project than builtins.ts and files of this directory (see bindings.ts). Never
 *          takes a handle out while a parser runs: the rest of a read that is being parsed may hold the next request.
 *          So `takeIdle` must be called in an immediate or a timer, never in a listener
 * Node     20, 22, 24 and 26: the same in all
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Buffer, NativeObject, Reflect, Set } from '../builtins';
import type { NativeHandle } from './bindings';
import { isPipe, isTcp, ownerOf } from './handles';

/** An idle connection whose handle was taken out of its socket. While it is out, nobody in this process reads. */
export interface TakenOut {
  readonly socket: Socket;
  /** Borrowed by whoever sends it. It ends with `putBack` or `letGo`. */
  readonly handle: NativeHandle;
}

/** Is this a server of HTTP/1 without encryption, whose connections can be looked at here? */
export function isPlainHttp(server: object): server is Server {
  return parsersOf(server) !== null && typeof (server as { setSecureContext?: unknown }).setSecureContext !== 'function';
}

/** The connections of this server on which nothing is happening: the parser is between two messages, or has not read a byte. */
export function idleConnections(server: Server): Socket[] {
  const parsers = parsersOf(server);
  if (parsers === null) return [];
  const idle: Socket[] = [];
  for (const { socket } of parsers.all()) {
    if (isSocket(socket) && socket.bytesRead === 0) idle.push(socket);
  }
  for (const { socket } of parsers.idle()) {
    if (isSocket(socket) && socket.bytesRead > 0) idle.push(socket);
  }
  return idle;
}

/** `net` is not loaded here: an app without servers does not need it. An app may give an http server any stream. */
const isSocket = (stream: unknown): stream is Socket => typeof stream === 'object' && stream !== null && '_handle' in stream;

/**
 * Stops reading, and then looks whether this connection may leave the process: a plain TCP or unix socket that the server
 * accepted itself, with nothing read that is not answered, nothing written that the kernel does not have, not upgraded,
 * not paused. Returns its handle, or null; then the connection is as before. `idle`: the parsers that are between two
 * messages (`idleParsers`), asked for in the same turn of the event loop.
 */
export function takeIdle(server: Server, socket: Socket, idle: ReadonlySet<unknown>): TakenOut | null {
  const own = socket as any;
  const handle = own._handle;
  if (handle === null || handle === undefined || handle.reading !== true || !(isTcp(handle) || isPipe(handle))) return null;
  (handle as any).readStop();
  let leaves = false;
  try {
    leaves = isIdle(server, own, idle);
  } finally {
    // The app may have put a getter of its own on the socket, which throws.
    if (!leaves) (handle as any).readStart();
  }
  if (!leaves) return null;
  own._handle = null;
  return { socket, handle };
}

function isIdle(server: Server, socket: any, idle: ReadonlySet<unknown>): boolean {
  const { parser } = socket;
  return socket.server === server && socket._server === server && socket.encrypted !== true
    // Node takes the parser off a connection that is upgraded; a parser that reads past the socket has `_consumed`.
    && parser?.socket === socket && parser._consumed === true && (socket.bytesRead === 0 || idle.has(parser))
    && (socket._httpMessage ?? null) === null && socket._paused !== true
    && !socket.isPaused() && socket.readable && socket.writable && !socket.destroyed && !socket.connecting
    && socket.readableLength === 0 && socket.writableLength === 0 && socket._handle.writeQueueSize === 0;
}

/** The parsers of this server that are between two messages, for `takeIdle`. */
export function idleParsers(server: Server): ReadonlySet<unknown> {
  return new Set(parsersOf(server)?.idle() ?? []);
}

/**
 * The connection stays here after all: the socket gets its handle back and reads again. The handle is closed if the
 * socket was destroyed meanwhile.
 */
export function putBack({ socket, handle }: TakenOut): void {
  const own = socket as any;
  if (own.destroyed || own._handle !== null) return handle.close();
  own._handle = handle;
  (handle as any).readStart();
}

/**
 * The connection is another process's. Closes this process's copy of the fd and destroys the socket: it emits 'close',
 * its server counts it no more, and Node frees the parser. Throws what a `destroy` of the app throws, after that.
 */
export function letGo({ socket, handle }: TakenOut): void {
  const { parser } = socket as any;
  if (typeof parser?.unconsume === 'function') parser.unconsume();
  handle.close();
  try {
    socket.destroy();
  } finally {
    const { Socket: NetSocket } = require('node:net') as typeof import('node:net');
    if (!socket.destroyed) Reflect.apply(NetSocket.prototype.destroy, socket, []);
  }
}

/**
 * `server` has just got this connection (its handle is borrowed) from another worker, where it was idle. It is made as
 * idle here as it was there: between two requests, not before the first one. Node gives a new connection no
 * `keepAliveTimeout` before its first response, ends it after `headersTimeout` with a response 408, and does not close it
 * in `server.close()`. The time-out ends, as after a response of Node's own, when the head of the next request is
 * complete, also if that request asks for an upgrade.
 */
export function waitAsKeptAlive(server: object, handle: NativeHandle): void {
  const socket: any = ownerOf(handle);
  if (!isSocket(socket) || typeof socket.setTimeout !== 'function' || socket.destroyed || !isPlainHttp(server)) return;
  const { parser } = socket as any;
  const { keepAliveTimeout, keepAliveTimeoutBuffer } = server as Server & { keepAliveTimeoutBuffer?: number };
  if (typeof parser?.onIncoming !== 'function') return;
  readRequestOfOurs(parser);
  if (!keepAliveTimeout) return;
  socket.setTimeout(keepAliveTimeout + (keepAliveTimeoutBuffer ?? 0));
  // The parser calls this method when it has read the head of a request. Node replaces it when it reuses the parser.
  const { onIncoming } = parser;
  parser.onIncoming = (...args: unknown[]): unknown => {
    parser.onIncoming = onIncoming;
    socket.setTimeout(server.timeout || 0);
    return Reflect.apply(onIncoming, parser, args);
  };
}

const SHORTEST_REQUEST = 'GET / HTTP/1.1\r\n\r\n';
/** The callbacks that a parser calls while it reads a request without a body. */
const PARSER_CALLBACKS = ['kOnMessageBegin', 'kOnHeaders', 'kOnHeadersComplete', 'kOnMessageComplete'] as const;

/**
 * Lets a parser that has read nothing read a whole request which nobody sees: then it is between two messages. There is
 * no other way to say so: only the parser itself removes its connection from the list of those that wait for a request
 * to become complete.
 */
function readRequestOfOurs(parser: any): void {
  const { constructor } = parser;
  const before = PARSER_CALLBACKS.map((name) => parser[constructor[name]]);
  for (const name of PARSER_CALLBACKS) parser[constructor[name]] = null;
  try {
    parser.execute(Buffer.from(SHORTEST_REQUEST));
  } finally {
    for (let at = 0; at < before.length; at++) parser[constructor[PARSER_CALLBACKS[at] as string]] = before[at];
  }
}

interface Parsers {
  idle(): { readonly socket: unknown }[];
  all(): { readonly socket: unknown }[];
}

/** The list of the parsers of a server of node:http; null for any other server. */
function parsersOf(server: object): Parsers | null {
  const symbol = NativeObject.getOwnPropertySymbols(server).find((own) => own.description === 'http.server.connections');
  const list = symbol === undefined ? undefined : (server as any)[symbol];
  return typeof list?.idle === 'function' && typeof list.all === 'function' ? list : null;
}

/**
 * A socket with the listeners and properties that node:http gives each of its connections while it writes a response, and
 * no others. It has no connection.
 */
export function untouchedSocket(): Socket {
  const { IncomingMessage, Server: HttpServer, ServerResponse } = require('node:http') as typeof import('node:http');
  const { Socket } = require('node:net') as typeof import('node:net');
  const socket = new Socket();
  new HttpServer().emit('connection', socket);
  new ServerResponse(new IncomingMessage(socket)).assignSocket(socket);
  return socket;
}
