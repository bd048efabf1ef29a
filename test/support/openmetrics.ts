/** A strict reader of OpenMetrics text. It throws at the first thing that the specification does not allow. */

export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ReadFamily {
  readonly type: string;
  readonly unit: string | null;
  readonly help: string | null;
  readonly samples: ReadSample[];
}

const SUFFIXES: Readonly<Record<string, readonly string[]>> = { counter: ['_total'], gauge: [''], histogram: ['_bucket', '_count', '_sum'] };

/** The families of a text, by name. */
export function readOpenMetrics(text: string): Map<string, ReadFamily> {
  const lines = text.split('\n');
  must(lines.pop() === '', 'the last line ends with a line break');
  must(lines.pop() === '# EOF', 'the text ends with # EOF');
  const families = new Map<string, { type: string; unit: string | null; help: string | null; samples: ReadSample[] }>();
  let name = '';
  for (const line of lines) {
    const family = families.get(name);
    const meta = /^# (TYPE|UNIT|HELP) ([a-zA-Z_:][\w:]*) (.*)$/s.exec(line);
    if (meta !== null) {
      const [, what, of = '', rest = ''] = meta;
      if (what === 'TYPE') {
        must(!families.has(of), `${of} stands in one place`);
        must(rest in SUFFIXES, `${of} has a type that this reader knows: ${rest}`);
        must(!of.endsWith('_total'), `${of}: _total belongs to the samples`);
        name = of;
        families.set(name, { type: rest, unit: null, help: null, samples: [] });
        continue;
      }
      must(of === name && family !== undefined && family.samples.length === 0, `${line} stands between the type and the samples of ${of}`);
      if (what === 'UNIT') {
        must(family.unit === null && of.endsWith(`_${rest}`), `${of} ends with its unit ${rest}`);
        family.unit = rest;
      } else {
        must(family.help === null, `${of} has one help`);
        family.help = unescaped(rest);
      }
      continue;
    }
    must(!line.startsWith('#'), `no other comments are allowed: ${line}`);
    must(family !== undefined, `a sample has a type: ${line}`);
    family.samples.push(readSample(line, name, family.type));
  }
  for (const [of, family] of families) check(of, family);
  return families;
}

function readSample(line: string, family: string, type: string): ReadSample {
  const [all, name = '', , pairs = '', number = ''] = /^([a-zA-Z_:][\w:]*)(\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$/.exec(line) ?? [];
  must(all !== undefined, `a line that is no sample: ${line}`);
  must(SUFFIXES[type]?.some((suffix) => name === `${family}${suffix}`) === true, `${name} belongs to the ${type} ${family}`);
  must(!pairs.endsWith(','), `no comma behind the last label: ${line}`);
  const labels: Record<string, string> = {};
  for (const [, label = '', value = ''] of pairs.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)) {
    must(!(label in labels), `label ${label} once: ${line}`);
    labels[label] = unescaped(value);
  }
  must(/^(?:[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[+-]Inf|NaN)$/.test(number), `a number: ${line}`);
  return { name, labels, value: Number(number.replace('Inf', 'Infinity')) };
}

function check(name: string, { type, samples }: ReadFamily): void {
  const keys = samples.map((sample) => JSON.stringify([sample.name, Object.entries(sample.labels).sort()]));
  must(new Set(keys).size === keys.length, `${name}: two samples have the same labels`);
  must(samples.length > 0, `${name} has samples`);
  if (type === 'counter') for (const { value } of samples) must(value >= 0 && Number.isFinite(value), `${name}: a counter is a number from 0 on`);
  if (type !== 'histogram') return;
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels }) => Number(labels['le']?.replace('Inf', 'Infinity')));
  must(bounds.at(-1) === Infinity, `${name} has a bucket +Inf`);
  for (const [at, { value }] of buckets.entries()) {
    if (at > 0) must((bounds[at] as number) > (bounds[at - 1] as number) && value >= (buckets[at - 1]?.value as number), `${name}: buckets grow`);
    must(/^(?:\d+\.\d+|\d+(?:\.\d+)?e[+-]\d+|\+Inf)$/.test(buckets[at]?.labels['le'] as string), `${name}: bounds have a point`);
  }
  must(buckets.at(-1)?.value === samples.find((sample) => sample.name === `${name}_count`)?.value, `${name}: the last bucket is the count`);
  must(samples.some((sample) => sample.name === `${name}_sum`), `${name} has a sum`);
}

const unescaped = (text: string): string => text.replace(/\\(["\\n])/g, (_all, character: string) => (character === 'n' ? '\n' : character));

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** The text in the older format of Prometheus, in which a counter has its suffix everywhere. */
export const inPrometheusFormat = (text: string): string => {
  const counters = [...text.matchAll(/^# TYPE (\S+) counter$/gm)].map(([, name]) => name as string);
  return text.replace(/^# (TYPE|HELP) (\S+)/gm, (line, what: string, name: string) => (counters.includes(name) ? `# ${what} ${name}_total` : line))
    .replace(/^# (?:UNIT .*|EOF)\n/gm, '');
};

/** The text with a time, in seconds, behind each sample. */
export const withTimes = (text: string, seconds: number): string => text.replace(/^([^#\n].*)$/gm, `$1 ${seconds}`);
