/**
 * Two plots as SVG, made from the samples of bench/sharing.ts: the connections of each worker in each second, and the
 * connections per second against the number of workers. Used by bench/sharing.ts.
 */
import type { Run } from './sharing_parts';

/** The connections per second of one rule with so many workers. */
export interface Point {
  readonly rule: string;
  readonly workers: number;
  readonly rate: number;
}

const WIDTH = 640;
const ROW = 90;
const HEIGHT = 300;
const LEFT = 110;
const COLOURS = ['#1f77b4', '#ff7f0e', '#2ca02c', '#d62728', '#9467bd', '#8c564b', '#e377c2', '#7f7f7f'];

/** One stacked bar for each second of each rule: the part of each worker has its colour. */
export function plotOverTime(runs: readonly Run[]): string {
  const rules = [...new Set(runs.map(({ rule }) => rule))];
  const rows = rules.map((rule, row) => {
    const seconds = runs.filter((run) => run.rule === rule).flatMap((run) => run.seconds);
    const width = (WIDTH - LEFT) / seconds.length;
    const bars = seconds.map((served, at) => {
      const all = served.reduce((sum, one) => sum + one, 0);
      let top = row * ROW + 10;
      return served.map((count, worker) => {
        const height = ((ROW - 20) * count) / all;
        const bar = rect(LEFT + at * width, top, width - 4, height, worker);
        top += height;
        return bar;
      }).join('');
    });
    return text(4, row * ROW + ROW / 2, rule) + bars.join('');
  });
  return svg(rules.length * ROW, 'Each bar is a second, each colour a worker: its part of the connections', rows.join('\n'));
}

/** One line for each rule: connections per second against the number of workers. */
export function plotThroughput(points: readonly Point[]): string {
  const rules = [...new Set(points.map(({ rule }) => rule))];
  const counts = [...new Set(points.map(({ workers }) => workers))].sort((one, other) => one - other);
  const most = Math.max(...points.map(({ rate }) => rate));
  const x = (workers: number): number => LEFT + 20 + (counts.indexOf(workers) * (WIDTH - LEFT - 80)) / Math.max(1, counts.length - 1);
  const y = (rate: number): number => HEIGHT - 30 - ((HEIGHT - 60) * rate) / most;
  const lines = rules.map((rule, at) => {
    const of = points.filter((point) => point.rule === rule).sort((one, other) => one.workers - other.workers);
    const colour = COLOURS[at % COLOURS.length] as string;
    const path = of.map(({ workers, rate }) => `${x(workers).toFixed(1)},${y(rate).toFixed(1)}`).join(' ');
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${rect(4, 30 + at * 20, 10, 10, at)}${text(18, 40 + at * 20, rule)}`;
  });
  const axes = [...counts.map((workers) => text(x(workers) - 20, HEIGHT - 8, `${workers} workers`)), text(4, 16, `${Math.round(most)} connections/s`), text(4, HEIGHT - 30, '0')];
  return svg(HEIGHT, 'Connections per second against the number of workers', [...lines, ...axes].join('\n'));
}

const rect = (x: number, y: number, width: number, height: number, colour: number): string =>
  `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}" fill="${COLOURS[colour % COLOURS.length]}"/>`;
const text = (x: number, y: number, what: string): string => `<text x="${x.toFixed(0)}" y="${y.toFixed(0)}">${what}</text>`;
const svg = (height: number, title: string, body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13"><title>${title}</title>\n<rect width="${WIDTH}" height="${height}" fill="#fff"/>\n${body}\n</svg>\n`;
