/**
 * The options `health` and `metrics` of `supervise`: at which address the primary answers probes and scrapers.
 *
 * Used by  options.ts (checks them with the others); internal/operate/metrics/ opens the addresses
 * Never    accepts port 0: a probe or a scraper has to know the port before
 */
import { invalidArgValue } from '../errors';
import { ownOptions } from '../own_options';
import { HIGHEST_PORT, checkInteger, checkNames, checkString } from '../validate';

/** Where an HTTP server of the primary listens. */
export interface Endpoint {
  /** 1 to 65535. */
  readonly port: number;
  /** An IP address, or a name that leads to one: 127.0.0.1 by default, which only programs of this machine reach. */
  readonly host: string;
}

/** The option `health`. */
export interface HealthEndpoint extends Endpoint {
  /** /readyz answers 200 while at least so many workers are ready: 1 by default. */
  readonly minReady: number;
}

/** The value that a program passes as `health`: a port, or an object. */
export type HealthOption = number | (Partial<HealthEndpoint> & { readonly port: number });
/** The value of `metrics`, likewise. */
export type MetricsOption = number | (Partial<Endpoint> & { readonly port: number });

/** null: the option was not given. Throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE or ERR_OUT_OF_RANGE. */
export function checkHealth(given: HealthOption | null | undefined, maxWorkers: number): HealthEndpoint | null {
  if (given == null) return null;
  const names = ['port', 'host', 'minReady'] as const;
  const option = typeof given === 'number' ? { port: given } : given;
  checkNames('options.health', option, names);
  const { port, host, minReady } = ownOptions(option, names);
  return { ...checkEndpoint('options.health', port, host), minReady: checkInteger('options.health.minReady', minReady ?? 1, 1, maxWorkers) };
}

/** As `checkHealth`. */
export function checkMetrics(given: MetricsOption | null | undefined): Endpoint | null {
  if (given == null) return null;
  const names = ['port', 'host'] as const;
  const option = typeof given === 'number' ? { port: given } : given;
  checkNames('options.metrics', option, names);
  const { port, host } = ownOptions(option, names);
  return checkEndpoint('options.metrics', port, host);
}

function checkEndpoint(name: string, port: unknown, given: unknown): Endpoint {
  const host = checkString(`${name}.host`, given ?? '127.0.0.1');
  if (!/^[\w.:%-]+$/.test(host)) throw invalidArgValue(`${name}.host`, host, 'must be an IP address or the name of a host, for example 127.0.0.1 or ::');
  return { port: checkInteger(`${name}.port`, port, 1, HIGHEST_PORT), host };
}
