/**
 * Writes metrics as text in the format OpenMetrics 1.0, which Prometheus and its kin read:
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 *
 *   # TYPE cluster_worker_requests counter
 *   # HELP cluster_worker_requests Requests that …
 *   cluster_worker_requests_total{place="1"} 42
 *   # EOF
 *
 * Used by  reader.ts, which has the numbers; families.ts (the types), endpoints.ts (the content type)
 * Keeps    1. the text of a value, a label or a help can break no line: `\`, `"` and line breaks are escaped
 *          2. a sample whose value is not known is left out, and a family without samples as a whole
 */

/** The `Content-Type` of the text. */
export const CONTENT_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** One number; null if it is not known. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number | null;
}

/** The numbers of a histogram; each bucket counts what is `upTo` or less, so the last one is Infinity. */
export interface HistogramSample {
  readonly buckets: readonly { readonly upTo: number; readonly count: number }[];
  readonly sum: number;
  readonly count: number;
}

interface Described {
  /** Without `_total`; ends with `_` and the unit, if there is one. */
  readonly name: string;
  readonly unit?: 'seconds' | 'bytes' | 'ratio';
  /** A sentence for readers of the text. */
  readonly help: string;
}

/** The samples of one name. */
export type Family = Described & (
  | { readonly type: 'counter' | 'gauge'; readonly samples: readonly Sample[] }
  | { readonly type: 'histogram'; readonly histogram: HistogramSample | null });

/** The whole text, with the line that ends it. */
export function openMetricsText(families: readonly Family[]): string {
  return `${families.map(familyText).join('')}# EOF\n`;
}

function familyText(family: Family): string {
  const { name, unit, help, type } = family;
  const lines = type === 'histogram' ? histogramLines(name, family.histogram)
    : family.samples.flatMap(({ labels, value }) => (value === null ? [] : [`${name}${type === 'counter' ? '_total' : ''}${labelText(labels)} ${numberText(value)}`]));
  if (lines.length === 0) return '';
  return [`# TYPE ${name} ${type}`, ...(unit === undefined ? [] : [`# UNIT ${name} ${unit}`]), `# HELP ${name} ${escaped(help)}`, ...lines, ''].join('\n');
}

function histogramLines(name: string, histogram: HistogramSample | null): string[] {
  if (histogram === null) return [];
  return [
    ...histogram.buckets.map(({ upTo, count }) => `${name}_bucket${labelText({ le: boundText(upTo) })} ${count}`),
    `${name}_count ${histogram.count}`,
    `${name}_sum ${numberText(histogram.sum)}`,
  ];
}

function labelText(labels: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };
const escaped = (text: string): string => text.replace(/[\\"\n]/g, (character) => escapes[character] ?? character);

/** OpenMetrics has names of its own for what is no finite number. */
function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}

/** A bound is written as a number with a point, so that the same bucket has the same name everywhere: `1.0`. */
const boundText = (bound: number): string => (Number.isInteger(bound) ? `${bound}.0` : numberText(bound));
