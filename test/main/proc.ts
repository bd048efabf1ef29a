/** What /proc shows of a process, for tests that look from the outside. Used by the tests in test/main/. */
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';

const LISTEN = '0A';

/** The inodes of the sockets that a process has open, apart from its stdin, stdout and stderr. */
export function socketInodes(pid: number): string[] {
  const inodes: string[] = [];
  for (const fd of readdirSync(`/proc/${pid}/fd`).filter((name) => Number(name) > 2)) {
    const match = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`));
    if (match) inodes.push(match[1] as string);
  }
  return inodes;
}

/** The inodes of the TCP sockets that listen on a port, whoever holds them. */
export function listeningInodes(port: number): string[] {
  const inodes: string[] = [];
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    if (!existsSync(table)) continue;
    for (const line of readFileSync(table, 'utf8').trim().split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const local = Number.parseInt(String(fields[1]).split(':')[1] as string, 16);
      if (fields[3] === LISTEN && local === port) inodes.push(fields[9] as string);
    }
  }
  return inodes;
}

/** The environment that a process was started with. */
export function startEnvironment(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter((line) => line !== '');
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

/** Is there a process of this number that has not ended? */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The live processes of a process group. */
export function groupMembers(group: number): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
      return fields[0] !== 'Z' && Number(fields[2]) === group;
    } catch {
      return false; // It ended while we looked.
    }
  });
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // Closed while we looked.
  }
}
