/**
 * How HTTP/2 sessions end, in the two steps of RFC 9113 section 6.8:
 *
 *   open ── notice ──► noticed ── refuse ──► refusing ── its last stream ends ──► closed by Node
 *     └────────────────── refuse ───────────────►
 *
 *   notice   GOAWAY with the highest possible stream id: it asks the client to open no more streams. Requests that are
 *            on their way when it is sent are still served
 *   refuse   GOAWAY with the id of the last stream that has arrived. A client knows that later streams were not begun
 *            (REFUSED_STREAM), and may send their requests again on another connection
 *
 * Owns     the notices; the sessions are Node's
 * Used by  drain_connections.ts
 * Never    writes to a TLS socket: Node aborts the process if a TLSWrap has two writes at once. So a session over TLS
 *          gets no notice, and `refuse` is its only step
 * Node     `session.goaway(0, 2 ** 31 - 1)` sends the frame of a notice, but then Node ignores each request that follows,
 *          and its client waits for ever (nghttp2's "shutdown notice" cannot be reached). So the notice is written to the
 *          socket itself. Node writes whole frames, each batch in one write, and a socket keeps the order of writes: the
 *          notice stands between two frames.
 */
import type { Http2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { callApp } from '../app_calls';

interface Open {
  /** The socket of the connection; null if the connection is another kind of stream. */
  readonly socket: Socket | null;
  readonly isPlain: boolean;
  /** Has a stream arrived? Then both sides have sent their SETTINGS frame, which must be the first one. */
  hasStreams: boolean;
  isNoticed: boolean;
  /** `refuse` has found it closed on our side once, while the client still held the connection. */
  isOver: boolean;
}

/** The sessions of one server. */
export class Sessions {
  readonly #open = new Map<Http2Session, Open>();

  /** Adds a session. `isPlain`: it does not run over TLS. `isLeaving` returns whether the process leaves. */
  add(session: Http2Session, socket: Socket | null, isPlain: boolean, isLeaving: () => boolean): void {
    const open: Open = { socket, isPlain, hasStreams: false, isNoticed: false, isOver: false };
    this.#open.set(session, open);
    session.prependListener('stream', () => {
      open.hasStreams = true;
      // A session that begins while the process leaves serves its first request, as a connection of HTTP/1 does.
      if (isLeaving()) notice(session, open);
    });
    session.prependOnceListener('close', () => this.#open.delete(session));
  }

  /** Asks the clients to open no more streams. Sessions over TLS cannot be asked. */
  notice(): void {
    for (const [session, open] of this.#open) notice(session, open);
  }

  /**
   * Refuses new streams from now on. Node closes each session when its last stream has ended, and then waits until the
   * client closes the connection. The second call that finds a session in that state closes its connection.
   */
  refuse(which: 'all' | 'those without notice'): void {
    for (const [session, open] of [...this.#open]) {
      if (which === 'all' || !open.isPlain || open.socket === null) callApp(() => refuse(session, open));
    }
  }

  /** Destroys every session, whatever happens on it. */
  destroy(): void {
    for (const session of [...this.#open.keys()]) callApp(() => session.destroy());
  }
}

/** A GOAWAY frame: length 8, type 7, no flags, stream 0; the highest stream id; no error. */
const NOTICE = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

function notice(session: Http2Session, open: Open): void {
  const { socket } = open;
  if (socket === null || !open.isPlain || !open.hasStreams || open.isNoticed || session.closed || session.destroyed || !socket.writable) return;
  open.isNoticed = true;
  callApp(() => void socket.write(NOTICE));
}

function refuse(session: Http2Session, open: Open): void {
  if (!session.destroyed) {
    if (!session.closed) session.close();
  } else if (open.isOver) {
    open.socket?.destroy();
  } else {
    open.isOver = true;
  }
}
