/**
 * The outcome of a run of the peers: each figure of each peer has its samples, or a dash with the reason. From the
 * samples this file computes ratios to stock, and the verdict of the control: whether the run can be believed.
 *
 * Used by  all/
 */
import type { Machine } from '../machine';
import type { MeasureId } from '../peers_table';
import { bootstrap, median, ratios } from '../statistics';

/** A figure: one number of each peer. `ratio`: it stands beside its ratio to stock RR. */
export interface FigureKind {
  readonly measure: MeasureId;
  readonly title: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower' | 'neither';
  readonly ratio?: boolean;
}

export const FIGURES = {
  'fresh-rate': { measure: 'fresh', title: 'connections/s', unit: '/s', better: 'higher', ratio: true },
  'fresh-cpu': { measure: 'fresh', title: 'CPU per connection', unit: 'µs', better: 'lower', ratio: true },
  'fresh-front': { measure: 'fresh', title: 'of it the proxy', unit: 'µs', better: 'lower' },
  'fresh-primary': { measure: 'fresh', title: 'of it the primary', unit: 'µs', better: 'lower' },
  'fresh-limit': { measure: 'fresh', title: 'one primary is full at', unit: '/s', better: 'higher' },
  'fresh-jain': { measure: 'fresh', title: 'Jain\'s index', unit: '', better: 'higher' },
  'fresh-failed': { measure: 'fresh', title: 'failed', unit: '', better: 'lower' },
  'limit-tenth': { measure: 'limit', title: 'a tenth of a CPU', unit: '/s', better: 'higher' },
  'limit-tenth-part': { measure: 'limit', title: 'of the rate on paper', unit: '', better: 'neither' },
  'limit-fifth': { measure: 'limit', title: 'a fifth', unit: '/s', better: 'higher' },
  'limit-fifth-part': { measure: 'limit', title: 'of the rate on paper', unit: '', better: 'neither' },
  'kept-rate': { measure: 'kept', title: 'requests/s', unit: '/s', better: 'higher', ratio: true },
  'kept-cpu': { measure: 'kept', title: 'CPU per request', unit: 'µs', better: 'lower', ratio: true },
  'open-p50': { measure: 'open', title: 'p50', unit: 'ms', better: 'lower' },
  'open-p99': { measure: 'open', title: 'p99', unit: 'ms', better: 'lower' },
  'open-jain': { measure: 'open', title: 'Jain\'s index, worst second', unit: '', better: 'higher' },
  'open-failed': { measure: 'open', title: 'failed', unit: '', better: 'lower' },
  'held-jain': { measure: 'held', title: 'Jain\'s index', unit: '', better: 'higher' },
  'held-later': { measure: 'held', title: '2 s later', unit: '', better: 'higher' },
  'memory-worker': { measure: 'memory', title: 'a worker', unit: 'MiB', better: 'lower' },
  'memory-primary': { measure: 'memory', title: 'the primary', unit: 'MiB', better: 'lower' },
  'handoff-mean': { measure: 'handoff', title: 'mean', unit: 'ms', better: 'lower' },
  'handoff-p50': { measure: 'handoff', title: 'half took at most', unit: 'ms', better: 'lower' },
  'handoff-p99': { measure: 'handoff', title: '99 % took at most', unit: 'ms', better: 'lower' },
  'blocked-slow': { measure: 'blocked', title: 'waited > 100 ms', unit: '', better: 'lower' },
  'blocked-failed': { measure: 'blocked', title: 'failed', unit: '', better: 'lower' },
  'killed-kills': { measure: 'killed', title: 'kills', unit: '', better: 'neither' },
  'killed-answered': { measure: 'killed', title: 'answered', unit: '%', better: 'higher' },
  'killed-hung': { measure: 'killed', title: 'hung', unit: '', better: 'lower' },
  'killed-reset': { measure: 'killed', title: 'reset or refused', unit: '', better: 'lower' },
  'killed-twice': { measure: 'killed', title: 'served twice', unit: '', better: 'lower' },
  'reload-failed': { measure: 'reload', title: 'failed', unit: '', better: 'lower' },
  'reload-closed': { measure: 'reload', title: 'idle connections closed', unit: '', better: 'lower' },
  'reload-time': { measure: 'reload', title: 'took', unit: 's', better: 'lower' },
} as const satisfies Readonly<Record<string, FigureKind>>;
export type FigureId = keyof typeof FIGURES;

/** The samples of a peer, in the order of the pairs; or why it has none. */
export type Cell = { readonly samples: readonly number[] } | { readonly dash: string };

export interface PeersOutcome {
  readonly machine: Machine;
  readonly quick: boolean;
  readonly pairs: number;
  readonly seconds: number;
  readonly workers: number;
  readonly peers: readonly { readonly id: string; readonly title: string; readonly controlOf?: string }[];
  readonly measures: readonly MeasureId[];
  readonly cells: Readonly<Partial<Record<FigureId, Readonly<Record<string, Cell>>>>>;
  /** Hand-off latency by peer: the share of connections that took at most `upTo` ms. */
  readonly distributions: Readonly<Record<string, readonly { readonly upTo: number; readonly share: number }[]>>;
  readonly notes: readonly string[];
  /** "Bun 1.4.5": what was measured beside this Node. */
  readonly versions: readonly string[];
}

/** Collects the samples of a run. */
export class Samples {
  readonly #cells: Partial<Record<FigureId, Record<string, { readonly samples: number[] } | { readonly dash: string }>>> = {};

  add(figure: FigureId, peer: string, value: number): void {
    const of = (this.#cells[figure] ??= {});
    const cell = of[peer];
    if (cell === undefined) of[peer] = { samples: [value] };
    else if ('samples' in cell) cell.samples.push(value);
  }

  /** The peer has no figure of this measure, nor of what it has already. */
  dash(measure: MeasureId, peer: string, reason: string): void {
    for (const id of figuresOf(measure)) (this.#cells[id] ??= {})[peer] = { dash: reason };
  }

  /** The peer has no such figure. */
  dashOne(figure: FigureId, peer: string, reason: string): void {
    (this.#cells[figure] ??= {})[peer] = { dash: reason };
  }

  get cells(): PeersOutcome['cells'] {
    return this.#cells;
  }
}

export function figuresOf(measure: MeasureId): FigureId[] {
  return (Object.keys(FIGURES) as FigureId[]).filter((id) => FIGURES[id].measure === measure);
}

/** The ratio of a figure of a peer to that of another, pair by pair, with the interval of its median; null if one has none. */
export function against({ cells }: Pick<PeersOutcome, 'cells'>, figure: FigureId, peer: string, base = 'stock-rr'): { readonly ratio: number; readonly low: number; readonly high: number } | null {
  const [one, other] = [cells[figure]?.[peer], cells[figure]?.[base]];
  if (one === undefined || other === undefined || !('samples' in one) || !('samples' in other)) return null;
  const length = Math.min(one.samples.length, other.samples.length);
  if (length === 0) return null;
  const pairs = ratios(one.samples.slice(0, length), other.samples.slice(0, length));
  const [low, high] = bootstrap(pairs);
  return { ratio: median(pairs), low, high };
}

/** How far the control may be from 1. Beyond it a run cannot tell peers apart that differ by less. */
export const CONTROL_BOUNDS = { 'fresh-rate': 0.05, 'fresh-cpu': 0.05, 'kept-rate': 0.05 } as const;

/** The first line of a report: can this run be believed, and what can it tell? The control's interval says how small a difference it shows. */
export function firstLine(outcome: PeersOutcome): string {
  if (outcome.quick) return 'A quick run: it shows that the programs work. Do not believe its figures.';
  const control = outcome.peers.find(({ controlOf }) => controlOf !== undefined);
  if (control?.controlOf === undefined) return 'Without a control: nobody knows what this run can tell.';
  const parts: string[] = [];
  let off = false;
  /** The farthest end of an interval from 1. */
  let farthest = 0;
  for (const [id, bound] of Object.entries(CONTROL_BOUNDS) as [keyof typeof CONTROL_BOUNDS, number][]) {
    const verdict = against(outcome, id, control.id, control.controlOf);
    if (verdict === null) continue;
    const isOff = Math.abs(verdict.ratio - 1) > bound;
    off ||= isOff;
    farthest = Math.max(farthest, Math.abs(verdict.low - 1), Math.abs(verdict.high - 1));
    parts.push(`${FIGURES[id].title} ${verdict.ratio.toFixed(3)} (${verdict.low.toFixed(3)} … ${verdict.high.toFixed(3)})${isOff ? `, OFF by more than ${bound}` : ''}`);
  }
  if (parts.length === 0) return 'Without a control: it was not measured in this run.';
  const verdict = off ? 'THE CONTROL IS OFF' : 'The control is within its bound';
  return `${verdict}: this run cannot tell peers apart that differ by less than ${Math.ceil(farthest * 100 - 1e-9)} %. `
    + `Stock RR against itself, which should be 1: ${parts.join('; ')}.`;
}
