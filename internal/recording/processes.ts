/**
 * The processes of a recording: who they are, who started whom, and how each ended. Made in a first pass over the parts,
 * because names are needed from the first event on.
 *
 * Used by  merge.ts, interpreter.ts
 */
import type { RecordedProcess } from './format';
import { number, text, type Line } from './part_lines';
import { linesOf, type PartProcess } from './parts';

/** A process, as the first pass knows it. */
export interface Known {
  readonly pid: number;
  readonly part: PartProcess | null;
  parent: number | null;
  worker: number | null;
  started: number;
  ended: number | null;
  code: number | null;
  signal: string | null;
  /** Has it reported its own end? */
  saidExit: boolean;
  node: string;
  /** Has it code of ours? Else it runs Node's own cluster, or none. */
  ours: boolean;
  missing: number;
  cutOff: string | null;
  forksWorkers: boolean;
  name: string;
  role: RecordedProcess['role'];
}

/** A process of which nothing is known yet. */
const unread = (pid: number, part: PartProcess | null): Known => ({
  pid, part, parent: null, worker: null, started: 0, ended: null, code: null, signal: null, saidExit: false, node: '', ours: false,
  missing: 0, cutOff: null, forksWorkers: false, name: '', role: 'other',
});

/** All processes of a recording. */
export class Processes {
  readonly all: Known[] = [];
  /** No process, but its samples have a part as well (kernel_queue.ts). */
  readonly kernel: Known | null;

  constructor(parts: readonly PartProcess[], kernel: PartProcess | null) {
    this.kernel = kernel === null ? null : { ...unread(0, kernel), name: 'kernel' };
    for (const part of parts) this.#read(part);
    this.all.sort((a, b) => a.started - b.started);
    this.#name();
    // Children were started before their own recorder began.
    this.all.sort((a, b) => a.started - b.started);
  }

  /** The process that had this pid at that time. */
  byPid(pid: number, at: number): Known | undefined {
    return this.all.findLast((one) => one.pid === pid && one.started <= at) ?? this.all.find((one) => one.pid === pid);
  }

  /** The worker that `parent` has started under this id. */
  workerOf(parent: Known, id: number): Known | undefined {
    return this.all.find((one) => one.worker === id && one.parent === parent.pid);
  }

  #read(part: PartProcess): void {
    const known = this.#process(part.pid, part);
    const children: Line[] = [];
    for (const entry of linesOf(part)) {
      if (!('line' in entry)) {
        known.missing += entry.missing ?? 0;
        continue;
      }
      const { line } = entry;
      switch (line.k) {
        case 'S':
          known.started = line.t;
          known.parent = number(line, 'parent', null);
          known.worker = number(line, 'worker', null);
          known.node = text(line, 'node');
          break;
        case 'h': case 't': known.ours = true; break;
        case 's': case 'r': if (line['d'] === 'pipelined') known.ours = true; break;
        case 'f': case 'e': children.push(line); break;
        case 'x':
          known.saidExit = true;
          known.ended = line.t;
          known.code = number(line, 'code', null);
          break;
        case 'z':
          known.cutOff = text(line, 'reason');
          known.missing += Math.max(0, number(line, 'seq', 0) - entry.seq);
          break;
      }
    }
    this.#children.push([known, children]);
  }

  readonly #children: [Known, Line[]][] = [];

  #process(pid: number, part: PartProcess | null): Known {
    const known = unread(pid, part);
    this.all.push(known);
    return known;
  }

  /** Adds what parents know of their children. A child without a part file is added only if it is a worker. */
  #name(): void {
    for (const [parent, lines] of this.#children) {
      for (const line of lines) {
        const pid = number(line, 'pid', 0);
        const worker = number(line, 'worker', null);
        let child = this.all.findLast((one) => one.pid === pid && one.parent === parent.pid);
        if (line.k === 'f') {
          if (worker !== null) parent.forksWorkers = true;
          if (child === undefined && worker !== null) {
            child = this.#process(pid, null);
            Object.assign(child, { parent: parent.pid, worker, started: line.t });
          }
          if (child === undefined) continue;
          child.worker ??= worker;
          child.started = Math.min(child.started, line.t);
        } else if (child !== undefined) {
          child.ended ??= line.t;
          child.code = number(line, 'code', child.signal === null ? null : child.code);
          child.signal = text(line, 'signal') || null;
        }
      }
    }
    this.#giveNames();
  }

  #giveNames(): void {
    const primaries = this.all.filter((one) => one.forksWorkers);
    // A program that forks no worker: its first process.
    if (primaries.length === 0 && this.all[0] !== undefined) primaries.push(this.all[0]);
    const taken = new Set<string>();
    const give = (one: Known, role: Known['role'], name: string): void => {
      let free = name;
      for (let count = 2; taken.has(free); count++) free = `${name}.${count}`;
      taken.add(free);
      one.name = free;
      one.role = role;
    };
    primaries.forEach((one, at) => {
      if (one.worker === null) give(one, 'primary', at === 0 ? 'P' : `P${at + 1}`);
    });
    for (const one of this.all) {
      if (one.name !== '') continue;
      const parent = this.all.findLast((other) => other.pid === one.parent && other.started <= one.started);
      if (one.worker !== null) give(one, 'worker', parent === undefined || parent.name === 'P' || parent.name === '' ? `W${one.worker}` : `${parent.name}/W${one.worker}`);
      else give(one, 'other', `X${one.pid}`);
    }
  }
}

/** The process as the header shows it. */
export function described(one: Known, processes: Processes): RecordedProcess {
  const parent = one.parent === null ? undefined : processes.byPid(one.parent, one.started);
  return {
    pid: one.pid, name: one.name, role: one.role, worker: one.worker, parent: one.parent, parentName: parent?.name ?? null,
    started: one.started, ended: one.ended, code: one.code, signal: one.signal, recorded: one.part !== null, missing: one.missing,
  };
}
