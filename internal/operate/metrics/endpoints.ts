/**
 * What a supervisor answers at the addresses of its options `health` and `metrics`, and for how long it listens there.
 *
 *   /livez    200, unless the supervisor has given up every place for good
 *   /readyz   200 while at least `minReady` workers are ready and nobody has asked for a stop; otherwise 503
 *   /metrics  the metrics, in the format OpenMetrics
 *
 * Owns     one server for each address: open from the start, closed when the last worker is gone after a stop, open again
 *          when a command starts workers again after a stop
 * Used by  lib/supervisor.ts,
 *          operate/app/app_primary.ts
 * Uses     health_server.ts, reader.ts, openmetrics.ts (the content type), supervisor/supervisor.ts,
 *          supervisor/observers.ts
 * Keeps    an address that was asked for and cannot be had is reported: the supervisor emits 'error'. Nobody runs without
 *          the probes that they think they have, unless the program decides so
 */
import type { Endpoint, HealthEndpoint } from '../../supervisor/endpoint_options';
import { observe, showToObservers } from '../../supervisor/observers';
import type { Supervisor } from '../../supervisor/supervisor';
import { inheritanceHere, registerPlace, registerSocket } from '../../upgrade/registry';
import { HealthServer, plain, type Answer } from './health_server';
import { CONTENT_TYPE } from './openmetrics';
import type { MetricsReader } from './reader';

/** The addresses to listen on; null: none. */
export interface EndpointOptions {
  readonly health: HealthEndpoint | null;
  readonly metrics: Endpoint | null;
}

/** Opens the addresses, and keeps them open while the supervisor has anything to supervise. */
export function openEndpoints(supervisor: Supervisor, reader: MetricsReader, { health, metrics }: EndpointOptions): void {
  const routes: { readonly at: Endpoint; readonly option: string; readonly path: string; readonly answer: () => Answer }[] = [];
  if (health !== null) {
    routes.push({ at: health, option: 'health', path: '/livez', answer: () => livez(supervisor) });
    routes.push({ at: health, option: 'health', path: '/readyz', answer: () => readyz(supervisor, health.minReady) });
  }
  if (metrics !== null) {
    reader.measureLatency();
    routes.push({ at: metrics, option: 'metrics', path: '/metrics', answer: () => ({ status: 200, type: CONTENT_TYPE, body: reader.text() }) });
  }
  const same = ({ host, port }: Endpoint, other: Endpoint): boolean => host === other.host && port === other.port;
  const firsts = routes.filter(({ at }, index) => routes.findIndex((other) => same(other.at, at)) === index);
  const servers = firsts.map(({ at, option }) => new HealthServer(at.host, at.port,
    new Map(routes.filter((route) => same(route.at, at)).map(({ path, answer }) => [path, answer])),
    (error) => report(supervisor, cannotListen(option, at, error))));
  let isStopped = false;
  const set = (stopped: boolean): void => {
    isStopped = stopped;
    for (const server of servers) stopped ? server.close() : server.open();
  };
  const inheritance = inheritanceHere();
  const named = firsts.map(({ at: { host, port } }, index) => ({ name: `http ${host} ${port}`, server: servers[index] }));
  const begin = (): void => {
    for (const { name, server } of named) server?.open(inheritance?.takeSocket(name));
    set(false);
  };
  for (const { name, server } of named) registerSocket(name, () => server?.native ?? null);
  // Another primary answers there while `hasLeft`.
  let hasLeft = inheritance?.isServing === false;
  registerPlace({
    leave() {
      hasLeft = true;
      for (const server of servers) server.leave();
    },
    takeAgain() {
      hasLeft = false;
      set(isStopped);
    },
  });
  if (inheritance === null) begin();
  else inheritance.onServing(() => {
    hasLeft = false;
    begin();
  });
  observe(supervisor, ([name]) => {
    if (hasLeft) return;
    const { desired } = supervisor.status();
    if (name === 'stopped' && desired === 0) set(true);
    // One that could not be opened is not tried again at each transition, but when workers are started after a stop.
    if (name === 'transition' && isStopped && desired > 0) set(false);
  });
}

/** Emits 'error', which throws if nobody listens for it. Those who follow the events over a control socket see it in any case. */
function report(supervisor: Supervisor, error: Error): void {
  showToObservers(supervisor, ['error', error]);
  supervisor.emit('error', error);
}

/** Will there be workers, if there are none now? Not if every place waits for a command. */
function livez(supervisor: Supervisor): Answer {
  const { workers } = supervisor.status();
  const hasGivenUp = workers.length > 0 && workers.every(({ state }) => state.is === 'given up' && state.retryAt === null);
  return hasGivenUp ? plain(503, 'given up: no worker could be kept running') : plain(200, 'ok');
}

function readyz(supervisor: Supervisor, minReady: number): Answer {
  const { desired, workers } = supervisor.status();
  if (desired === 0) return plain(503, 'stopping');
  // A successor may be a canary on trial, which takes no connections yet.
  const ready = workers.filter(({ role, state }) => role === 'current' && state.is === 'ready').length;
  return plain(ready >= minReady ? 200 : 503, `${ready} of ${desired} workers ${ready === 1 ? 'is' : 'are'} ready, ${minReady} must be`);
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program (or another supervisor) listens there; choose another port',
  EACCES: 'this user may not listen there; choose a port from 1024 on',
  EADDRNOTAVAIL: 'this machine has no such address; choose another host',
  ENOTFOUND: 'there is no host of this name; choose another host',
};

/** The error with its fields (code, syscall, …), and a message that says which option to change. */
function cannotListen(option: string, { host, port }: Endpoint, cause: NodeJS.ErrnoException): Error {
  const { code = '', errno, syscall } = cause;
  const reason = REASONS[code];
  return Object.assign(new Error(`The option ${option}: cannot listen on ${host.includes(':') ? `[${host}]` : host}:${port}: ${code || cause.message}${reason === undefined ? '' : `, ${reason}`}`, { cause }),
    { code, errno, syscall, address: host, port });
}
