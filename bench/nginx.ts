/**
 * nginx as a reverse proxy in front of several Node processes, each with a port of its own: another way to
 * share one public port, without a cluster. Measured only if nginx is installed.
 *
 * Owns     nginx (in the foreground, with its configuration in a temporary directory) and the processes behind
 *          it; `stop` ends them
 * Used by  bench/peers.ts
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Bench } from './bench';
import { installed } from './installed';
import type { Peer } from './peer';

const PROCESSES = 2;
const PATIENCE = 5000;

export async function nginxPeer(bench: Bench): Promise<Peer | string> {
  const nginx = installed('nginx');
  if (nginx === null) return 'not installed';
  const behind = await bench.start('behind nginx', 'servers/processes.js', { how: 'ports', kind: 'http' });
  const directory = mkdtempSync(path.join(tmpdir(), 'bench-nginx-'));
  const port = await freePort();
  writeFileSync(path.join(directory, 'nginx.conf'), configuration(directory, port, behind.facts.ports ?? []));
  const child = spawn(nginx, ['-e', 'stderr', '-p', directory, '-c', path.join(directory, 'nginx.conf')], { stdio: ['ignore', 'inherit', 'inherit'] });
  const end = (): void => { child.kill('SIGKILL'); };
  process.once('exit', end);
  const stop = async (): Promise<void> => {
    await quit(child);
    process.removeListener('exit', end);
    rmSync(directory, { recursive: true });
    await bench.stop(behind);
  };
  try {
    await answering(port, child);
  } catch (error) {
    await stop();
    throw error;
  }
  const proxies = childrenOf(child.pid as number);
  return { name: 'nginx proxy', port, pids: [...proxies, ...behind.facts.pids.slice(1)], served: () => behind.ask('served'), stop };
}

function configuration(directory: string, port: number, ports: readonly number[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off; worker_processes ${PROCESSES}; pid ${directory}/pid; error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
  upstream processes { ${ports.map((one) => `server 127.0.0.1:${one};`).join(' ')} }
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://processes; } }
}
`;
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answering(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
    const connected = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
      socket.on('error', () => resolve(false));
    });
    if (connected) return;
    if (Date.now() > deadline) throw new Error(`nginx does not listen after ${PATIENCE} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function childrenOf(parent: number): number[] {
  return readdirSync(`/proc/${parent}/task`)
    .flatMap((thread) => readFileSync(`/proc/${parent}/task/${thread}/children`, 'utf8').trim().split(' '))
    .filter((pid) => pid !== '').map(Number);
}

async function quit(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}
