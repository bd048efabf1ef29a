/**
 * How HTTP/1 connections end: the last response on each says `Connection: close`, so the client sends its next request
 * on another connection, and Node closes this one after that response.
 *
 * With pipelining, several requests of one connection are in progress, and Node answers them in order. It closes the
 * connection after the first response that says `close`, and drops the others. So the header must stand in the last
 * response, and moves on if one more request arrives.
 *
 * Owns     which response of a connection is the last one; the header that it has set there
 * Used by  drain_connections.ts
 * Never    closes a connection whose responses are not all sent
 * Uses     native/http.ts, for the response that a socket is writing. To follow each response by the diagnostics
 *          channels instead would cost 2 % of the requests per second
 * Node     publishes 'http.server.request.start' before the response gets its socket. So if the socket is writing another
 *          response at that moment, the connection pipelines. While the process serves, only those are remembered
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { answerOn } from '../../native/http';
import { callApp } from '../app_calls';

/** The last response of each connection. */
export class LastResponses {
  /** The newest response of each connection that pipelines. */
  readonly #newest = new WeakMap<Socket, ServerResponse>();
  /** The responses in which we have set `Connection: close`, with the value that was there before. */
  readonly #marked = new WeakMap<ServerResponse, string | number | readonly string[] | undefined>();

  /** A request has begun while the process serves. */
  requestBegan(socket: Socket, response: ServerResponse): void {
    if (answerOn(socket) !== null) this.#newest.set(socket, response);
  }

  /** A request has begun while the process leaves: its response is the last one now. */
  lastRequestBegan(socket: Socket, response: ServerResponse): void {
    const previous = this.#unfinished(socket);
    if (previous !== undefined && previous !== response) this.#unmark(previous);
    this.#newest.set(socket, response);
    this.#mark(response);
  }

  /** The process begins to leave: the response in progress on this socket, if there is one, is the last one. */
  leave(socket: Socket): void {
    const last = this.#unfinished(socket);
    if (last !== undefined) this.#mark(last);
  }

  /** The newest response on this socket that has not been sent completely. */
  #unfinished(socket: Socket): ServerResponse | undefined {
    const newest = this.#newest.get(socket);
    if (newest !== undefined && !newest.writableFinished && !newest.destroyed) return newest;
    return answerOn(socket) ?? undefined;
  }

  #mark(response: ServerResponse): void {
    callApp(() => {
      if (response.headersSent) return;
      this.#marked.set(response, response.getHeader('Connection'));
      response.setHeader('Connection', 'close');
    });
  }

  #unmark(response: ServerResponse): void {
    callApp(() => {
      if (!this.#marked.has(response) || response.headersSent || response.getHeader('Connection') !== 'close') return;
      const before = this.#marked.get(response);
      this.#marked.delete(response);
      if (before === undefined) response.removeHeader('Connection');
      else response.setHeader('Connection', before);
    });
  }
}
