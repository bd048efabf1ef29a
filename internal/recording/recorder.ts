/**
 * The recorder: the part of a recording that runs in each process of the recorded program. It subscribes to the trace
 * (trace.ts), observes channels of Node's own, and writes one line for each event into the process's part file.
 * part_lines.ts has the form of the lines; record.ts starts the program and merges the parts.
 *
 * It is loaded before the first message can be sent: by NODE_OPTIONS, and in a worker of ours by startup/entry.ts, whose
 * own flag may come first. Each worker gets it, whatever NODE_OPTIONS and environment the program gives it.
 *
 * Owns     the part file of this process
 * Used by  startup/entry.ts, settings.ts (which has its path)
 * Uses     part_file.ts, frame_lines.ts, node_frames.ts, sockets.ts, loop_samples.ts, settings.ts
 * Never    throws into the program, prints, or keeps a process alive. Never runs in a worker thread: threads have no
 *          channel
 * Keeps    the n-th frame of a channel in one direction is number n at both ends
 * Falls short  a process that may not write to the directory (another user, the permission model) has no part file. The
 *          merged recording says so
 */
import type { ChildProcess } from 'node:child_process';
import diagnostics from 'node:diagnostics_channel';
import { isMainThread } from 'node:worker_threads';
import { JSON, Map, Number, String } from '../builtins';
import { interceptSpawn } from '../native/spawning';
import type { FrameTrace, HandleTrace, StateTrace } from '../trace';
import { channelFields, receivedFields, sentFields } from './frame_lines';
import { sampleLoop } from './loop_samples';
import { observeFrames } from './node_frames';
import { PartFile } from './part_file';
import { readSettings, recordedPairs, takeWorkerId, type RecordingSettings } from './settings';
import { followSockets, type Sockets } from './sockets';

const UNIQUE_ID = 'NODE_UNIQUE_ID=';
/** The name of Node's own channel to the parent. */
const PARENT = 'parent';

const settings = isMainThread ? readSettings(process.env) : null;
if (settings !== null) record(settings, takeWorkerId(process.env));

function record(settings: RecordingSettings, worker: number | null): void {
  const { hrtime } = process;
  const base = BigInt(settings.base);
  const now = (): number => Number(hrtime.bigint() - base);
  const started = now();
  const stock = worker !== null && process.env['CLUSTER_INTERNALS_CHANNEL'] === undefined;
  // Read once: later the app may have put anything into `process.argv`, and an orphan has another parent.
  const about = { t: started, pid: process.pid, parent: process.ppid, worker, node: process.version, stock, argv: process.argv.slice(1, 64).map((argument) => argument.slice(0, 1000)) };
  const part = new PartFile(settings.directory, settings.limit, started, (first, at) => JSON.stringify({ k: 'S', seq: first, at, ...about }));

  const sockets = followSockets({
    opened(index, fd, client) {
      part.add('o', now(), `,"i":${index},"fd":${fd}${client === null ? '' : `,"client":${JSON.stringify(client)}`}`);
    },
    closed(index, { by, bytesRead, bytesWritten }) {
      part.add('c', now(), `,"i":${index},"by":"${by}","in":${bytesRead},"out":${bytesWritten}`);
    },
    isFlooded: () => part.isFlooded,
  });
  recordChildren(part, now, settings, recordTrace(part, now, settings.payloads, stock, sockets));
  sampleLoop(now, (at, busy, delay) => part.add('l', at, `,"busy":${busy.toFixed(3)},"delay":${delay}`));
  process.prependListener('exit', (code) => {
    part.add('x', now(), `,"code":${code}`);
    part.flush();
  });
}

/** Observes the channel of Node's own that `target` may have. */
type Observe = (target: object, channel: string) => void;

/** Records what trace.ts publishes, and the messages on Node's own channel to the parent, if there is one. `stock`: Node's bootstrap has made this process a worker. */
function recordTrace(part: PartFile, now: () => number, payloads: boolean, stock: boolean, sockets: Sockets): Observe {
  /** How many frames each channel has sent and received, and what its lines have in common. */
  const channels = new Map<string, { readonly text: string; sent: number; received: number }>();
  const frame = (trace: FrameTrace): void => {
    const at = now();
    let channel = channels.get(trace.channel);
    // Node's bootstrap has sent `online` before any preload can run.
    if (channel === undefined) channels.set(trace.channel, channel = { text: channelFields(trace), sent: stock && trace.channel === PARENT ? 1 : 0, received: 0 });
    if (trace.way === 'sent') part.add('s', at, sentFields(trace, channel.text, channel.sent++, payloads));
    else part.add('r', at, receivedFields(trace, channel.text, channel.received++));
  };
  /** Keys, workers and states come again and again. */
  const quoted = new Map<string, string>();
  const quote = (text: string): string => {
    let known = quoted.get(text);
    if (known === undefined) {
      known = JSON.stringify(text);
      if (quoted.size < 1000) quoted.set(text, known);
    }
    return known;
  };
  diagnostics.subscribe('cluster-internals:frame', (event) => frame(event as FrameTrace));
  diagnostics.subscribe('cluster-internals:handle', (event) => {
    const { event: what, where, fd } = event as HandleTrace;
    // The frame of the hand-off has the same fd and comes in the same moment.
    if (what === 'released' || what === 'adopted' || what === 'handed off') return;
    part.add('h', now(), `,"e":"${what}","a":${quote(where)},"fd":${fd}${what === 'delivered' ? `,"i":${sockets.delivered()}` : ''}`);
  });
  diagnostics.subscribe('cluster-internals:state', (event) => {
    const { what, from, to, why } = event as StateTrace;
    part.add('t', now(), `,"w":${quote(what)},"f":${quote(from)},"o":${quote(to)}${why === undefined ? '' : `,"y":${quote(why)}`}`);
  });
  observeFrames(process, PARENT, frame);
  return (target, channel) => void observeFrames(target, channel, frame);
}

/** Makes each worker record itself, and records the start and the end of each child that is a Node program with a channel. */
function recordChildren(part: PartFile, now: () => number, settings: RecordingSettings, observe: Observe): void {
  interceptSpawn((child: ChildProcess, options, start) => {
    const id = options.envPairs?.find((pair) => pair.startsWith(UNIQUE_ID))?.slice(UNIQUE_ID.length);
    if (id !== undefined && options.envPairs !== undefined) options.envPairs = recordedPairs(options.envPairs, settings, id);
    const errno = start();
    const { pid } = child;
    if (pid === undefined) return errno;
    part.add('f', now(), `,"pid":${pid},"worker":${id === undefined ? 'null' : Number(id)}`);
    observe(child, `P to ${id === undefined ? pid : `W${id}`}`);
    child.once('exit', (code, signal) => {
      part.add('e', now(), `,"pid":${pid},"code":${String(code)},"signal":${signal === null ? 'null' : `"${signal}"`}`);
    });
    return errno;
  });
}
