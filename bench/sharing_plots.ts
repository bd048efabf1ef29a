/**
 * Two plots as SVG, made from the samples of bench/sharing.ts: the connections of each worker in each second, and the
 * connections per second under each rule. Used by bench/sharing.ts.
 */

/** One second, or less, of one rule under one load. */
export interface Slice {
  readonly rule: string;
  readonly workers: number;
  readonly load: number;
  /** The number of connections that each worker served in that time. */
  readonly served: readonly number[];
  readonly p50: number;
  readonly p99: number;
  readonly rate: number;
  /** Microseconds of CPU time for each connection, of the primary. */
  readonly primary: number;
}

const WIDTH = 640;
const HEIGHT = 150;
const LEFT = 110;
const COLOURS = ['#1f77b4', '#ff7f0e', '#2ca02c', '#d62728', '#9467bd', '#8c564b', '#e377c2', '#7f7f7f'];

/** One stacked bar for each second of each rule: the part of each worker has its colour. */
export function plotOverTime(slices: readonly Slice[]): string {
  const rules = [...new Set(slices.map(({ rule }) => rule))];
  const rows = rules.map((rule, row) => {
    const of = slices.filter((slice) => slice.rule === rule);
    const width = (WIDTH - LEFT) / of.length;
    const bars = of.map(({ served }, at) => {
      const all = served.reduce((sum, one) => sum + one, 0);
      let top = row * HEIGHT + 10;
      return served.map((count, worker) => {
        const height = ((HEIGHT - 20) * count) / all;
        const bar = rect(LEFT + at * width, top, width - 4, height, worker);
        top += height;
        return bar;
      }).join('');
    });
    return text(4, row * HEIGHT + HEIGHT / 2, rule) + bars.join('');
  });
  return svg(rules.length * HEIGHT, 'Connections of each worker, second by second, at half load', rows.join('\n'));
}

/** One bar for each rule: the median of its connections per second. */
export function plotThroughput(slices: readonly Slice[]): string {
  const rules = [...new Set(slices.map(({ rule }) => rule))];
  const rates = rules.map((rule) => {
    const of = slices.filter((slice) => slice.rule === rule).map(({ rate }) => rate).sort((one, other) => one - other);
    return of[of.length >> 1] ?? 0;
  });
  const most = Math.max(...rates);
  const bars = rules.map((rule, at) => text(4, at * 30 + 24, rule) + rect(LEFT, at * 30 + 8, ((WIDTH - LEFT - 80) * (rates[at] as number)) / most, 22, at)
    + text(WIDTH - 76, at * 30 + 24, `${Math.round(rates[at] as number)}/s`));
  return svg(rules.length * 30 + 10, `Connections per second, ${slices[0]?.workers} workers`, bars.join('\n'));
}

const rect = (x: number, y: number, width: number, height: number, colour: number): string =>
  `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}" fill="${COLOURS[colour % COLOURS.length]}"/>`;
const text = (x: number, y: number, what: string): string => `<text x="${x}" y="${y}">${what}</text>`;
const svg = (height: number, title: string, body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13"><title>${title}</title>\n${body}\n</svg>\n`;
