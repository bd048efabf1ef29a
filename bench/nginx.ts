/**
 * nginx as a reverse proxy in front of several Node processes, each with a port of its own: another way to
 * share one public port, without a cluster. Measured only if nginx is installed.
 *
 * Owns     the processes behind it; `stop` ends them and nginx
 * Used by  bench/peers.ts
 */
import type { Bench } from './bench';
import type { Peer } from './peer';
import { startProxy } from './proxies';

export async function nginxPeer(bench: Bench): Promise<Peer | string> {
  const behind = await bench.start('behind nginx', 'servers/processes.js', { how: 'ports', kind: 'http' });
  const proxy = await startProxy('nginx', behind.facts.ports ?? []);
  if (typeof proxy === 'string') {
    await bench.stop(behind);
    return proxy;
  }
  const stop = async (): Promise<void> => {
    await proxy.stop();
    await bench.stop(behind);
  };
  return { name: 'nginx proxy', port: proxy.port, pids: [...proxy.pids, ...behind.facts.pids.slice(1)], served: () => behind.ask('served'), stop };
}
