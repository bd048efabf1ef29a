/**
 * What a worker's query means to `net`: the options with which the primary listens in its place.
 *
 * Used by  round_robin_handle.ts, shared_handle.ts, listen_policy.ts
 */
import type net from 'node:net';
import path from 'node:path';
import { Boolean } from '../builtins';
import { namesFd, type QueryServer } from '../messages';
import { UV_TCP_IPV6ONLY } from '../native/bindings';

/** How a net.Server is told to listen where the worker wanted to. */
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

/** A socket's path has room for about 100 bytes: the relative form may fit where the absolute one does not. */
export function shortPath(address: string): string {
  const relative = path.relative(process.cwd(), address);
  return relative.length < address.length ? relative : address;
}
