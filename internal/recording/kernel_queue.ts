/**
 * Samples the kernel's queues while a program is recorded: how many connections wait at each listening TCP socket of its
 * processes, which nobody has accepted yet. This runs in the process that records (record.ts) and not in those that are
 * recorded: on a machine with much memory the kernel takes milliseconds to show its table, and a process that is blocked
 * is the one whose queue is worth seeing.
 *
 * Owns     one timer, and the file KERNEL beside the part files: one line for each change
 * Used by  record.ts, merge.ts (where the file is)
 * Uses     parts.ts (which processes are recorded)
 * Wire     {"k":"q","t":1000,"a":"127.0.0.1:8000","i":4711,"n":3}: time, address, inode of the socket, connections
 * Costs    nothing in the recorded processes; here at most 1 % of a CPU: the more processor time a look takes, the later
 *          comes the next. On a busy machine a look can take long on the clock, and little of a processor
 * Never    throws, keeps the process alive, or writes more than MOST_BYTES
 * Falls short  the queue of a Unix socket: the kernel does not show it in /proc. A wait that is shorter than PERIOD_MS.
 *          Everything where there is no /proc
 */
import { appendFileSync, closeSync, existsSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { listParts, type PartProcess } from './parts';

/** Milliseconds between two looks. */
const PERIOD_MS = 250;
/** The looks may take this part of a processor. */
const SHARE = 0.01;
const MOST_BYTES = 4 << 20;
const KERNEL = 'kernel.jsonl';
/** The second one is missing where IPv6 is switched off. */
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'] as const;
/** Bytes that are read at once: about 25 rows. */
const CHUNK = 4096;

/** The samples of a recording; null if nothing has ever waited. */
export function kernelPart(directory: string): PartProcess | null {
  const file = path.join(directory, KERNEL);
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  return size === undefined ? null : { pid: 0, files: [{ file, segment: 0, size }] };
}

/** Samples until the function that it returns is called. `now`: nanoseconds. */
export function sampleKernelQueues(directory: string, now: () => number): () => void {
  const tables = TABLES.filter((table) => existsSync(table));
  /** The sockets that listen, by inode; null: it belongs to a process that is not recorded. */
  let known = new Map<number, Row | null>();
  let written = 0;
  const look = (): void => {
    const at = now();
    const rows = tables.flatMap(listeningSockets);
    const own = rows.every(({ inode }) => known.has(inode)) ? null : socketsOf(directory);
    const before = known;
    const isOwn = (inode: number): boolean => (before.has(inode) ? before.get(inode) !== null : own?.has(inode) === true);
    known = new Map(rows.map((row) => [row.inode, isOwn(row.inode) ? row : null]));
    let lines = '';
    const changed = ({ inode, address }: Row, waiting: number): void => {
      if (waiting !== (before.get(inode)?.waiting ?? 0)) lines += `${JSON.stringify({ k: 'q', t: at, a: address, i: inode, n: waiting })}\n`;
    };
    for (const row of known.values()) if (row !== null) changed(row, row.waiting);
    for (const row of before.values()) if (row !== null && !known.has(row.inode)) changed(row, 0);
    if (lines === '') return;
    appendFileSync(path.join(directory, KERNEL), lines, { mode: 0o600 });
    written += lines.length;
  };
  const again = (after: number): NodeJS.Timeout => setTimeout(() => {
    const before = process.cpuUsage();
    try {
      look();
    } catch {
      return; // No right to read /proc; or the disk is full, and then nothing more can be written.
    }
    const { user, system } = process.cpuUsage(before);
    if (written < MOST_BYTES) timer = again(Math.max(PERIOD_MS, (user + system) / 1000 / SHARE));
  }, after).unref();
  let timer = tables.length === 0 ? undefined : again(PERIOD_MS);
  return () => clearTimeout(timer);
}

interface Row {
  readonly inode: number;
  readonly address: string;
  readonly waiting: number;
}

/**
 * The sockets that listen. The kernel shows them before all connections, of which there may be many: what follows the
 * first row that is no listening socket is not read. In such a row `rx_queue` is the length of the queue.
 */
function listeningSockets(table: string): Row[] {
  const rows: Row[] = [];
  const fd = openSync(table, 'r');
  try {
    const chunk = Buffer.allocUnsafe(CHUNK);
    let rest = '';
    for (let isFirst = true; ;) {
      const count = readSync(fd, chunk, 0, CHUNK, null);
      const lines = (rest + chunk.toString('latin1', 0, count)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of isFirst ? lines.slice(1) : lines) {
        // "0: 0100007F:240D 00000000:0000 0A 00000000:00000003 … … uid timeout inode …": 0A is LISTEN.
        const [, local = '', , state, queues = '', , , , , inode] = line.trim().split(/\s+/);
        if (state !== '0A') return rows;
        rows.push({ inode: Number(inode), address: addressOf(local), waiting: Number.parseInt(queues.slice(9), 16) });
      }
      isFirst = false;
      if (count === 0) return rows;
    }
  } finally {
    closeSync(fd);
  }
}

/** An address of /proc/net/tcp: words of four bytes, the lowest byte first. */
function addressOf(local: string): string {
  const [hex = '', port = ''] = local.split(':');
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  const host = bytes.length === 4 ? bytes.map((byte) => Number.parseInt(byte, 16)).join('.') : new URL(`http://[${(bytes.join('').match(/.{4}/g) ?? []).join(':')}]`).hostname;
  return `${host}:${Number.parseInt(port, 16)}`;
}

/** The inodes of all sockets that recorded processes have open. */
function socketsOf(directory: string): Set<number> {
  const found = new Set<number>();
  for (const { pid } of listParts(directory)) {
    const place = `/proc/${pid}/fd`;
    for (const fd of filesIn(place)) {
      const inode = /^socket:\[(\d+)\]$/.exec(targetOf(`${place}/${fd}`))?.[1];
      if (inode !== undefined) found.add(Number(inode));
    }
  }
  return found;
}

function filesIn(place: string): readonly string[] {
  try {
    return readdirSync(place);
  } catch {
    return []; // The process has ended, or has changed its user.
  }
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return ''; // Closed meanwhile.
  }
}
