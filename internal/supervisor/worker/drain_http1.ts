/**
 * How HTTP/1 connections end: the last answer on each carries `Connection: close`, so that the client
 * comes back on another connection, and Node closes this one after that answer.
 *
 * With pipelining several requests of one connection are in progress, and Node answers them in order.
 * It closes the connection after the first answer that says `close`, and drops those behind it. So the
 * header goes with the last of them, and moves on when another request comes.
 *
 * Owns     which answer of a connection is the last; the header that it has set there
 * Used by  drain.ts
 * Never    ends a connection on which an answer is outstanding
 * Uses     native/http.ts, for the answer that is being written: to follow each answer by the diagnostics
 *          channels instead costs 2 % of the requests per second
 * Node     'http.server.request.start' is published before the answer gets its socket, so a connection
 *          that is writing another answer then is pipelining: only those are remembered while serving.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { answerOn } from '../../native/http';
import { apart } from '../app_calls';

/** The last answers of connections. */
export class LastAnswers {
  /** The newest answer of each connection that pipelines. */
  readonly #newest = new WeakMap<Socket, ServerResponse>();
  /** Answers that say `Connection: close` because of us, and what they said before. */
  readonly #marked = new WeakMap<ServerResponse, string | number | readonly string[] | undefined>();

  /** A request has begun while everything goes on. */
  began(socket: Socket, response: ServerResponse): void {
    if (answerOn(socket) !== null) this.#newest.set(socket, response);
  }

  /** A request has begun while this process leaves: its answer is the last one now. */
  beganLast(socket: Socket, response: ServerResponse): void {
    const before = this.#outstanding(socket);
    if (before !== undefined && before !== response) this.#unmark(before);
    this.#newest.set(socket, response);
    this.#mark(response);
  }

  /** This process leaves from now on. */
  leave(socket: Socket): void {
    const last = this.#outstanding(socket);
    if (last !== undefined) this.#mark(last);
  }

  /** The newest answer that is not at its end. */
  #outstanding(socket: Socket): ServerResponse | undefined {
    const newest = this.#newest.get(socket);
    if (newest !== undefined && !newest.writableFinished && !newest.destroyed) return newest;
    return answerOn(socket) ?? undefined;
  }

  #mark(response: ServerResponse): void {
    apart(() => {
      if (response.headersSent) return;
      this.#marked.set(response, response.getHeader('Connection'));
      response.setHeader('Connection', 'close');
    });
  }

  #unmark(response: ServerResponse): void {
    apart(() => {
      if (!this.#marked.has(response) || response.headersSent || response.getHeader('Connection') !== 'close') return;
      const before = this.#marked.get(response);
      this.#marked.delete(response);
      if (before === undefined) response.removeHeader('Connection');
      else response.setHeader('Connection', before);
    });
  }
}
