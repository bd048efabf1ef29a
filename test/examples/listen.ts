/**
 * What `listen` does in a worker: it opens no socket. It asks the primary, and the primary listens.
 *
 *   npx tsx test/examples/listen.ts                                    with Node's own cluster
 *   npx tsx --require ./dist/lib/register.js test/examples/listen.ts   with ours
 *
 * The worker's server emits 'listening' as any other. Which process holds the listening socket is read from /proc: a
 * socket in the table of listening sockets has an inode, and a process that holds it has an fd with this inode.
 */
import cluster from 'node:cluster';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';

if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.on('listening', ({ port }) => {
    console.log(`the primary is told: worker 1 listens on the port of its choice: ${port > 0}`);
    const holders = [['the primary', process.pid], ['worker 1', worker.process.pid ?? 0]] as const;
    console.log(`the listening socket is in: ${holders.filter(([, pid]) => holds(pid, port)).map(([name]) => name).join(', ')}`);
    worker.disconnect();
  });
  worker.on('exit', (code) => console.log(`worker 1 left with ${code}`));
} else {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const address = server.address();
    console.log(`the server of worker 1 emits 'listening': ${typeof address === 'object' && address !== null && address.port > 0}`);
  });
}

/** Does this process hold the socket that listens on this port? */
function holds(pid: number, port: number): boolean {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const LISTEN = '0A';
  const inodes = readFileSync('/proc/net/tcp', 'utf8').split('\n').map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(wanted) === true && state === LISTEN).map((fields) => `socket:[${fields[9]}]`);
  return readdirSync(`/proc/${pid}/fd`).some((fd) => inodes.includes(linkOf(`/proc/${pid}/fd/${fd}`)));
}

/** Where a link leads; '' if the fd has been closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // The fd with which the directory was read.
  }
}
