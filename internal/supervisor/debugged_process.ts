/**
 * Does somebody debug this process? The primary asks it about a worker that does not answer: one that stands at a
 * breakpoint is not hung. It looks in /proc, and asks the inspector itself, which has a thread of its own and answers
 * also while the app is paused.
 *
 *   traced (gdb, strace)   /proc/PID/status names a tracer
 *   inspector open         the process, and not this one, has a socket that listens, and there `GET /json/version` is
 *                          answered as an inspector does
 *
 * Used by  worker_process.ts
 * Never    takes longer than ANSWER_MS and the time to read /proc. Never throws: it returns false if it cannot find out
 * Unknown  the inspector of a process of another user (unless this process is root's) or in another network namespace,
 *          and everything where there is no /proc. The answer about such a process is false
 */
import { readFile, readdir, readlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { epochClock } from '../clock';

/** How long an inspector may take to answer, in milliseconds. Its thread does nothing else. */
const ANSWER_MS = 500;
/** How many sockets are asked at most. A worker rarely listens at more than a few addresses by itself. */
const MOST_SOCKETS = 16;
/** How much of an answer is read, in characters. An inspector's has about 300. */
const LONGEST_ANSWER = 4_096;

/** Resolves to true if a debugger is attached to this process or can be: see above. */
export async function isDebugged(pid: number): Promise<boolean> {
  try {
    if (/^TracerPid:\s*[1-9]/m.test(await readFile(`/proc/${pid}/status`, 'utf8'))) return true;
    const listening = await listeningSockets(pid);
    if (listening.size === 0) return false;
    const own = await socketsOf('self');
    // A socket that this process has as well is one of the cluster's, and other workers could answer there.
    const addresses = [...await socketsOf(pid)].filter((inode) => !own.has(inode)).flatMap((inode) => listening.get(inode) ?? []);
    const answers = await Promise.all(addresses.slice(0, MOST_SOCKETS).map(isInspector));
    return answers.includes(true);
  } catch {
    return false; // The process is gone, or may not be looked at.
  }
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** The TCP sockets that listen in the network namespace of this process, by inode. */
async function listeningSockets(pid: number): Promise<Map<string, Address>> {
  const sockets = new Map<string, Address>();
  for (const table of ['tcp', 'tcp6']) {
    const lines = (await readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => '')).split('\n');
    for (const line of lines) {
      // "0: 0100007F:240D 00000000:0000 0A … uid timeout inode …": 0A is LISTEN.
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      const [host = '', port = ''] = local.split(':');
      if (state === '0A' && inode !== undefined) sockets.set(inode, { host: hostOf(host), port: Number.parseInt(port, 16) });
    }
  }
  return sockets;
}

/** An address of /proc/net/tcp (words of four bytes, the lowest byte first) as a host to connect to: loopback for "any address". */
function hostOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  const isAny = bytes.every((byte) => byte === '00');
  if (bytes.length === 4) return isAny ? '127.0.0.1' : bytes.map((byte) => Number.parseInt(byte, 16)).join('.');
  return isAny ? '::1' : (bytes.join('').match(/.{4}/g) ?? []).join(':');
}

/** The inodes of the sockets that a process has open. */
async function socketsOf(pid: number | 'self'): Promise<Set<string>> {
  const fds = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  return new Set(targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []));
}

/** Does an inspector answer at this address? */
function isInspector({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ host, port });
    const end = (): void => {
      cancel();
      socket.destroy();
      resolve(/^HTTP\/1\.\d 200 [\s\S]*"Protocol-Version"/.test(answer));
    };
    const cancel = epochClock.after(ANSWER_MS, end); // An answer that has arrived is read before.
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      if (answer.length > LONGEST_ANSWER || answer.includes('"Protocol-Version"')) end();
    });
    socket.on('error', end).on('close', end);
    socket.write(`GET /json/version HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
  });
}
