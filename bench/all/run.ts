/**
 * A run of the peers: starts those that this machine can run, makes the measures, and writes the report to
 * bench/results/ as JSON, as Markdown and as a page.
 *
 * Used by  bench/run.ts
 * Uses     ../peers_table.ts (the peers), all/measures.ts, all/limit.ts, all/handoff.ts, all/failures.ts
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { WrongArgument } from '../../test/support/tool';
import { QUICK, type Bench } from '../bench';
import { installed } from '../installed';
import { thisMachine } from '../machine';
import { MEASURES, peerRows, type MeasureId, type PeerRow } from '../peers_table';
import { NOT_PINNED, pin } from '../pinning';
import type { Context } from './context';
import { blocked, killed, reload } from './failures';
import { handoff } from './handoff';
import { limit } from './limit';
import { fresh, held, kept, latency, memory } from './measures';
import { Samples, firstLine, type PeersOutcome } from './outcome';
import { peersPage } from './page';
import { peersMarkdown } from './report';
import { missing, startPeer, versionOf, type Started } from './start';

const HOW: Readonly<Record<MeasureId, (context: Context) => Promise<void>>> = { fresh, limit, kept, open: latency, held, memory, handoff, blocked, killed, reload };
/** Measures in which the peers of the whole run take no part: each is started for its own turn. */
const ALONE: ReadonlySet<MeasureId> = new Set(['blocked', 'killed', 'reload']);
const WORKERS = 2;

/** About how many milliseconds a full run of these measures takes, with all peers: windows × rounds × peers, and the starts. */
export function durationOf(measures: readonly MeasureId[], quick: boolean): number {
  const minutes: Readonly<Record<MeasureId, number>> = { fresh: 3.5, limit: 2.5, kept: 3.5, open: 3.5, held: 1.5, memory: 0.1, handoff: 0.5, blocked: 4, killed: 5, reload: 1.5 };
  return measures.reduce((sum, id) => sum + minutes[id], 0.5) * 60_000 * (quick ? 0.25 : 1);
}

export interface Chosen {
  readonly measures: readonly MeasureId[];
  readonly rows: readonly PeerRow[];
}

const isMeasure = (name: string): name is MeasureId => Object.hasOwn(MEASURES, name);

/** The measures and peers that these words name; all of a kind if none of it is named. Stock RR, the base, and the control are always there. @throws WrongArgument */
export function chosenBy(words: readonly string[]): Chosen {
  const unknown = words.filter((word) => !isMeasure(word) && !peerRows.some(({ id }) => id === word));
  if (unknown.length > 0) throw new WrongArgument(`neither a measure nor a peer: ${unknown.join(', ')}; measures are ${Object.keys(MEASURES).join(', ')}; peers are ${peerRows.map(({ id }) => id).join(', ')}`);
  const measures = (Object.keys(MEASURES) as MeasureId[]).filter((id) => words.includes(id));
  const named = peerRows.some(({ id }) => words.includes(id));
  const rows = peerRows.filter(({ id, controlOf }) => !named || id === 'stock-rr' || controlOf !== undefined || words.includes(id));
  return { measures: measures.length > 0 ? measures : Object.keys(MEASURES) as MeasureId[], rows };
}

/** Makes the measures. The peers that run during all of it are stopped at the end, also after a failure. */
export async function measurePeers(bench: Bench, { measures, rows }: Chosen): Promise<PeersOutcome> {
  const machine = thisMachine();
  const begun = performance.now();
  const samples = new Samples();
  const notes: string[] = [];
  const started = new Map<string, Started>();
  const dash = (id: string, reason: string): void => measures.forEach((measure) => samples.dash(measure, id, reason));
  const usable = rows.filter((row) => {
    const reason = missing(row);
    if (reason !== null) dash(row.id, reason);
    return reason === null;
  });
  const versions = new Set((await Promise.all(usable.map(versionOf))).filter((version) => version !== null));
  const context: Context = { bench, workers: WORKERS, rows: usable, started, samples, distributions: {}, notes };
  const { facts: { pids: generator } } = await bench.generator();
  if (!pin(generator, 0)) notes.push(`${NOT_PINNED}.`);
  if (installed('wrk') === null) notes.push('wrk is not installed: keep-alive was not measured.');
  try {
    if (measures.some((measure) => !ALONE.has(measure))) await startAll(context, started, dash);
    const serving = { ...context, rows: usable.filter(({ id }) => started.has(id)) };
    for (const measure of measures.filter((one) => !ALONE.has(one))) await made(bench, measure, serving);
    await stopAll(started);
    for (const measure of measures.filter((one) => ALONE.has(one))) await made(bench, measure, context);
  } finally {
    await stopAll(started);
    pin(generator, 'all');
  }
  return {
    machine, quick: bench.extent.scale === QUICK.scale, pairs: bench.pairs, seconds: (performance.now() - begun) / 1000, workers: WORKERS,
    peers: rows.map(({ id, title, controlOf }) => ({ id, title, ...(controlOf === undefined ? {} : { controlOf }) })),
    measures, cells: samples.cells, distributions: context.distributions, notes, versions: [...versions],
  };
}

async function made(bench: Bench, measure: MeasureId, context: Context): Promise<void> {
  const begun = performance.now();
  bench.say(`── ${measure}: ${MEASURES[measure]}`);
  await HOW[measure](context);
  bench.say(`── ${measure} took ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}

async function startAll({ bench, rows, workers }: Context, started: Map<string, Started>, dash: (id: string, reason: string) => void): Promise<void> {
  for (const row of rows) {
    try {
      started.set(row.id, await startPeer(row, { workers }));
    } catch (error) {
      const reason = `does not start: ${error instanceof Error ? error.message : String(error)}`;
      bench.say(`── ${row.title}: ${reason}`);
      dash(row.id, reason);
    }
  }
}

async function stopAll(started: Map<string, Started>): Promise<void> {
  const all = [...started.values()];
  started.clear();
  await Promise.all(all.map((peer) => peer.stop()));
}

/** Writes the report in three forms. Returns the files. */
export function savePeers(outcome: PeersOutcome, directory: string, kind: 'full' | 'partial'): string[] {
  mkdirSync(directory, { recursive: true });
  const file = path.join(directory, `peers-${kind}-node${outcome.machine.node.split('.')[0]}`);
  const forms = { json: `${JSON.stringify({ verdict: firstLine(outcome), ...outcome }, null, 1)}\n`, md: peersMarkdown(outcome), html: peersPage(outcome) };
  return Object.entries(forms).map(([form, text]) => {
    writeFileSync(`${file}.${form}`, text);
    return `${file}.${form}`;
  });
}
