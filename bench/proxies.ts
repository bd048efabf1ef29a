/**
 * nginx and HAProxy as reverse proxies in front of processes that have a port each.
 *
 * Owns     the proxy, in the foreground, with its configuration in a temporary directory; `stop` ends it
 * Used by  bench/nginx.ts, bench/all/start.ts
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { claimPort } from '../test/support/own_port';
import { installed } from './installed';

/** Worker processes of nginx, threads of HAProxy. */
const PARALLEL = 2;
const PATIENCE = 5000;

export interface Proxy {
  readonly port: number;
  /** The processes that pass requests on. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/** Starts a proxy in front of these ports. A text says why there is none. */
export async function startProxy(name: 'nginx' | 'haproxy', behind: readonly number[]): Promise<Proxy | string> {
  const program = installed(name);
  if (program === null) return `${name} is not installed`;
  const directory = mkdtempSync(path.join(tmpdir(), `bench-${name}-`));
  const { port, release } = await claimPort();
  const file = path.join(directory, 'configuration');
  writeFileSync(file, name === 'nginx' ? nginxConfiguration(directory, port, behind) : haproxyConfiguration(port, behind));
  const args = name === 'nginx' ? ['-e', 'stderr', '-p', directory, '-c', file] : ['-q', '-db', '-f', file];
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const end = (): void => { child.kill('SIGKILL'); };
  process.once('exit', end);
  const stop = async (): Promise<void> => {
    await quit(child);
    process.removeListener('exit', end);
    await release();
    rmSync(directory, { recursive: true });
  };
  try {
    await answering(name, port, child);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, pids: name === 'nginx' ? childrenOf(child.pid as number) : [child.pid as number], stop };
}

function nginxConfiguration(directory: string, port: number, behind: readonly number[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off; worker_processes ${PARALLEL}; pid ${directory}/pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
  upstream processes { ${behind.map((one) => `server 127.0.0.1:${one};`).join(' ')} }
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://processes; } }
}
`;
}

function haproxyConfiguration(port: number, behind: readonly number[]): string {
  return `global
  nbthread ${PARALLEL}
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend public
  bind 127.0.0.1:${port}
  default_backend processes
backend processes
  balance roundrobin
${behind.map((one, at) => `  server process${at} 127.0.0.1:${one}`).join('\n')}
`;
}

async function answering(name: string, port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    const connected = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
      socket.on('error', () => resolve(false));
    });
    if (connected) return;
    if (Date.now() > deadline) throw new Error(`${name} does not listen after ${PATIENCE} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The pids of the children of a process; none if it has ended. */
export function childrenOf(parent: number): number[] {
  try {
    return readdirSync(`/proc/${parent}/task`)
      .flatMap((thread) => readFileSync(`/proc/${parent}/task/${thread}/children`, 'utf8').trim().split(' '))
      .filter((pid) => pid !== '').map(Number);
  } catch {
    return []; // It ended meanwhile.
  }
}

async function quit(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}
