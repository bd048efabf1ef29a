/**
 * How HTTP/2 sessions end, as RFC 9113 6.8 wants it:
 *
 *   open ── notice ──► noticed ── refuse ──► refusing ── no stream left ──► closed by Node
 *     └────────────────── refuse ───────────────►
 *
 *   notice   GOAWAY with the highest id of a stream: open no more. Requests that cross it are served
 *   refuse   GOAWAY with the id of the last stream that we got. The client sees by it that requests which
 *            cross this one were not begun (REFUSED_STREAM), and may send them again elsewhere
 *
 * Owns     the notices; the sessions are Node's
 * Used by  drain.ts
 * Never    writes to a TLS connection beside Node: a TLSWrap with two writes at once aborts the process.
 *          So sessions over TLS get no notice, and `refuse` at once
 * Node     `session.goaway(0, 2 ** 31 - 1)` sends the frame of a notice, but ignores every request after
 *          it (nghttp2's "shutdown notice" is not reachable), and its client hangs. So the notice is
 *          written to the socket itself. Node writes whole frames, each batch in one write, and the
 *          socket keeps the order of writes: ours stands between two frames.
 */
import type { Http2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { apart } from '../app_calls';

interface Open {
  /** The connection; null for one that is no socket. */
  readonly socket: Socket | null;
  readonly isPlain: boolean;
  /** A stream has come: both sides have sent their first frame, before which no other may be sent. */
  spoken: boolean;
  noticed: boolean;
  /** It has ended on our side, and was seen so once. */
  over: boolean;
}

/** The sessions of one server. */
export class Sessions {
  readonly #open = new Map<Http2Session, Open>();

  add(session: Http2Session, socket: Socket | null, isPlain: boolean, isLeaving: () => boolean): void {
    const open: Open = { socket, isPlain, spoken: false, noticed: false, over: false };
    this.#open.set(session, open);
    session.prependListener('stream', () => {
      open.spoken = true;
      // A session that came while this process leaves serves its first request, as a connection of HTTP/1 does.
      if (isLeaving()) notice(session, open);
    });
    session.prependOnceListener('close', () => this.#open.delete(session));
  }

  /** Asks for no more streams, where that can be asked. */
  notice(): void {
    for (const [session, open] of this.#open) notice(session, open);
  }

  /**
   * Refuses streams from now on. Node closes each session when its last stream is over, and waits for the
   * client to close the connection: at the second call since then we wait no more.
   */
  refuse(which: 'all' | 'those without notice'): void {
    for (const [session, open] of [...this.#open]) {
      if (which === 'all' || !open.isPlain || open.socket === null) apart(() => refuse(session, open));
    }
  }

  /** Ends every session, whatever it does. */
  destroy(): void {
    for (const session of [...this.#open.keys()]) apart(() => session.destroy());
  }
}

/** Type 7, no flags, stream 0; the highest id of a stream; no error. */
const NOTICE = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

function notice(session: Http2Session, open: Open): void {
  const { socket } = open;
  if (socket === null || !open.isPlain || !open.spoken || open.noticed || session.closed || session.destroyed || !socket.writable) return;
  open.noticed = true;
  apart(() => void socket.write(NOTICE));
}

function refuse(session: Http2Session, open: Open): void {
  if (!session.destroyed) {
    if (!session.closed) session.close();
  } else if (open.over) {
    open.socket?.destroy();
  } else {
    open.over = true;
  }
}
