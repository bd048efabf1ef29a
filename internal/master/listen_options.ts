/**
 * Translates a worker's query into the options with which the primary listens for it.
 *
 * Used by  begin_listening.ts, shared_handle.ts, listen_policy.ts
 */
import type net from 'node:net';
import path from 'node:path';
import { Boolean } from '../builtins';
import { namesFd, type QueryServer } from '../messages';
import { UV_TCP_IPV6ONLY } from '../native/bindings';

/** The options for `server.listen` of a `net.Server` in the primary. */
export function listenOptions(query: QueryServer): net.ListenOptions & { fd?: number } {
  const { address, fd, flags, port, readableAll, writableAll } = query;
  const backlog = query.backlog || undefined;
  const common = backlog === undefined ? {} : { backlog };
  if (namesFd(query)) return { fd: fd as number, ...common };
  if (port !== null && port >= 0) {
    const options: net.ListenOptions = { port, ipv6Only: Boolean((flags ?? 0) & UV_TCP_IPV6ONLY), ...common };
    if (address) options.host = address;
    return options;
  }
  return { path: shortPath(address ?? ''), readableAll: readableAll === true, writableAll: writableAll === true, ...common };
}

/** The shorter of the absolute and the relative form: a Unix socket's path has room for 107 bytes only. */
export function shortPath(address: string): string {
  const relative = path.relative(process.cwd(), address);
  return relative.length < address.length ? relative : address;
}
