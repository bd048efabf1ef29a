/**
 * The report of a run of the peers: as Markdown for bench/README.md, and the growth on paper that follows from it.
 *
 * Used by  all/run.ts, all/page.ts
 */
import { number } from '../report';
import { MEASURES, type MeasureId } from '../peers_table';
import { bootstrap, median } from '../statistics';
import { FIGURES, against, figuresOf, firstLine, type Cell, type FigureId, type PeersOutcome } from './outcome';

/** One cell of a table, as text. `reason` is why there is only a dash. */
export interface Shown {
  readonly text: string;
  readonly reason: string | null;
}

const NOT_MEASURED = 'not measured in this run';

/** Why a peer has a dash; null: it was measured. */
function reasonOf({ cells }: PeersOutcome, figure: FigureId, peer: string): string | null {
  const cell: Cell | undefined = cells[figure]?.[peer];
  if (cell === undefined) return NOT_MEASURED;
  return 'dash' in cell ? cell.dash : null;
}

/** "1,234 (1,200 … 1,260)", or a dash and its reason. */
export function shown(outcome: PeersOutcome, figure: FigureId, peer: string): Shown {
  const cell = outcome.cells[figure]?.[peer];
  if (cell === undefined || 'dash' in cell) return { text: '–', reason: reasonOf(outcome, figure, peer) };
  const { unit } = FIGURES[figure];
  const [low, high] = bootstrap(cell.samples);
  const [middle, from, to] = [median(cell.samples), low, high].map(number);
  const ratio = 'ratio' in FIGURES[figure] && peer !== 'stock-rr' ? against(outcome, figure, peer) : null;
  return {
    text: `${middle}${unit === '' ? '' : ` ${unit}`}${from === to ? '' : ` (${from} … ${to})`}${ratio === null ? '' : `, ${ratio.ratio.toFixed(2)} ×`}`,
    reason: null,
  };
}

/** The reasons of the dashes of a measure: "Deno cluster: …". Peers with the same reason stand together. */
export function reasons(outcome: PeersOutcome, measure: MeasureId): string[] {
  const byReason = new Map<string, string[]>();
  for (const { id, title } of outcome.peers) {
    const columns = columnsOf(outcome, measure);
    const ofPeer = columns.map((figure) => ({ figure, reason: reasonOf(outcome, figure, id) })).filter(({ reason }) => reason !== null);
    const whole = ofPeer.length === columns.length && new Set(ofPeer.map(({ reason }) => reason)).size === 1;
    for (const { figure, reason } of whole ? ofPeer.slice(0, 1) : ofPeer) {
      const key = whole ? `${reason}` : `${FIGURES[figure].title}: ${reason}`;
      byReason.set(key, [...(byReason.get(key) ?? []), title]);
    }
  }
  return [...byReason].map(([reason, titles]) => `${titles.join(', ')}: ${reason}`);
}

/** The columns of a measure: only figures that at least one peer has. */
export function columnsOf(outcome: PeersOutcome, measure: MeasureId): FigureId[] {
  const all = figuresOf(measure);
  const some = all.filter((figure) => outcome.peers.some(({ id }) => reasonOf(outcome, figure, id) === null));
  return some.length === 0 ? all.slice(0, 1) : some;
}

/** The machine, the commit and the extent of a run, as one sentence. */
export function headOf({ machine, pairs, seconds, workers, versions }: PeersOutcome): string {
  const { node, cores, cpu, memoryGiB, kernel, commit, date, load } = machine;
  return `${[`Node ${node}`, ...versions].join(', ')}; ${cores} CPUs (${cpu}), ${memoryGiB} GiB, Linux ${kernel}; commit ${commit}, ${date.slice(0, 10)}. `
    + `${workers} workers, ${pairs} rounds, ${Math.round(seconds / 60)} minutes; load average before it ${load.toFixed(1)}.`;
}

export const HOW_TO_READ = 'Each number is the median of the rounds, in brackets the interval of that median (95 %, by bootstrap). '
  + '× is the ratio to stock RR, round by round. The load generator has the first CPU, all servers the others.';

/** The chapter for bench/README.md. Its first line says whether the run can be believed. */
export function peersMarkdown(outcome: PeersOutcome): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const parts = [
    `**${firstLine(outcome)}**`, headOf(outcome), HOW_TO_READ, ...meaningless(outcome),
    ...outcome.measures.flatMap((measure) => {
      const columns = columnsOf(outcome, measure);
      const why = reasons(outcome, measure);
      return [
        `### ${MEASURES[measure]}`,
        [
          line(['peer', ...columns.map((figure) => FIGURES[figure].title)]), line(['---', ...columns.map(() => '---')]),
          ...outcome.peers.map(({ id, title }) => line([title, ...columns.map((figure) => shown(outcome, figure, id).text)])),
        ].join('\n'),
        ...(why.length === 0 ? [] : [`A dash: ${why.join('; ')}.`]),
      ];
    }),
    ...growthOf(outcome),
    ...outcome.notes,
  ];
  return `${parts.join('\n\n')}\n`;
}

/** An interval wider than this part of its median is too wide to be read. */
const TOO_WIDE = 0.2;
/** A load that leaves more of the servers' CPU idle than this has not found out what they can do. */
const FULL_CPU = 0.9;
/** Below this index not every worker has work, so nobody knows what a peer does with more of them. */
const EVEN = 0.9;

/** Sentences that name the figures which this run cannot give: its machine is too small for them, or they vary too much. */
export function meaningless(outcome: PeersOutcome): string[] {
  const { cores } = outcome.machine;
  const size = cores > 2 ? [] : [`This machine has ${cores} CPU${cores === 1 ? '' : 's'}, so all servers share one${cores === 1 ? ' with the load generator' : ''}: rates say what a connection costs, and nothing about what more cores would bring.`];
  const wide = (Object.keys(outcome.cells) as FigureId[]).filter((figure) => 'ratio' in FIGURES[figure]).flatMap((figure) => {
    const of = outcome.peers.filter(({ id }) => {
      const cell = outcome.cells[figure]?.[id];
      if (cell === undefined || !('samples' in cell)) return false;
      const [low, high] = bootstrap(cell.samples);
      return high - low > TOO_WIDE * median(cell.samples);
    });
    if (of.length === 0) return [];
    return [`${FIGURES[figure].title} of ${of.length === outcome.peers.length ? 'all peers' : of.map(({ title }) => title).join(', ')}`];
  });
  const idle = outcome.peers.filter(({ id }) => {
    const [rate, cpu] = (['fresh-rate', 'fresh-cpu'] as const).map((figure) => outcome.cells[figure]?.[id]);
    return cores === 2 && rate !== undefined && cpu !== undefined && 'samples' in rate && 'samples' in cpu && median(rate.samples.map((each, at) => each * (cpu.samples[at] ?? 0))) < FULL_CPU * 1e6;
  });
  const waiting = idle.length === 0 ? [] : [`The servers' CPU was less than ${FULL_CPU * 100} % busy with ${idle.map(({ title }) => title).join(', ')}: there the load generator is the limit. Compare the CPU per connection.`];
  return [...size, ...waiting, ...(wide.length === 0 ? [] : [`Too noisy to be read, the interval is wider than a fifth of the median: ${wide.join('; ')}.`])];
}

const CORES = [4, 16, 64];

/**
 * Computes the highest rate of a design on so many cores. A connection costs `total` µs of CPU in all processes together,
 * and `primary` µs of them in the one process that hands it off. So all cores serve at most `cores × 10^6 / total`
 * connections a second, and the primary hands off at most `10^6 / primary`. A real machine does less: the kernel, the
 * memory and the load generator need a part of it.
 */
export function onPaper(cores: number, total: number, primary: number | null): { readonly rate: number; readonly by: 'the cores' | 'the primary' } {
  const all = (cores * 1e6) / total;
  const one = primary === null ? Infinity : 1e6 / primary;
  return all <= one ? { rate: all, by: 'the cores' } : { rate: one, by: 'the primary' };
}

/** From how many cores on the primary is the limit. */
export function fullFrom(total: number, primary: number): number {
  return total / primary;
}

function growthOf(outcome: PeersOutcome): string[] {
  const of = (figure: FigureId, peer: string): number | null => {
    const cell = outcome.cells[figure]?.[peer];
    return cell !== undefined && 'samples' in cell ? median(cell.samples) : null;
  };
  const rows = outcome.peers.flatMap(({ id, title }) => {
    const total = of('fresh-cpu', id);
    if (total === null) return [];
    const isEven = (of('fresh-jain', id) ?? 1) >= EVEN;
    const primary = of('fresh-limit', id) === null ? null : of('fresh-primary', id);
    const cells = CORES.map((cores) => {
      if (!isEven) return '–';
      const { rate, by } = onPaper(cores, total, primary);
      return `${number(rate)} /s${by === 'the primary' ? ' (the primary)' : ''}`;
    });
    const checked = [of('limit-tenth-part', id), of('limit-fifth-part', id)].flatMap((part) => (part === null ? [] : [part.toFixed(2)]));
    return [`| ${title} | ${number(total)} µs | ${primary === null ? '–' : `${number(primary)} µs`} | ${primary !== null ? `${number(fullFrom(total, primary))} cores` : isEven ? 'never' : '– (one worker had all the work)'} | ${cells.join(' | ')} | ${checked.length === 0 ? '–' : checked.join(', ')} |`];
  });
  if (rows.length === 0) return [];
  return [
    '### On paper: where each design ends',
    [`| peer | a connection | of it the primary | the primary is the limit from | ${CORES.map((cores) => `${cores} cores`).join(' | ')} | a primary with a tenth and a fifth of a CPU: measured / on paper |`, `| --- | --- | --- | --- |${' --- |'.repeat(CORES.length + 1)}`, ...rows].join('\n'),
  ];
}
