/**
 * The report of the ecosystem lane: one row for each program, as Markdown.
 *
 * A run of stock that fails is no news: such programs and their suites fail now and then on any cluster. What counts
 * against us is a step that failed on ours in some pair and on stock in none.
 *
 * Used by  ecosystem.ts, test/unit/ecosystem.test.ts
 */
import type { Installed } from './install';
import type { Played, Side, Step } from './play';

/** A stock run and one of ours, one after the other. */
export interface Pair {
  readonly stock: Played;
  readonly ours: Played;
}

/** A drive or a suite in all its pairs. */
export interface Row {
  readonly name: string;
  readonly version: string;
  readonly uses: string;
  readonly what: 'drive' | 'suite';
  readonly pairs: readonly Pair[];
}

export function rowOf({ program, version }: Installed, what: Row['what'], pairs: readonly Pair[]): Row {
  return { name: program.name, version, uses: program.uses, what, pairs };
}

/** The steps that failed on ours in some pair and on stock in none, with the first reason. */
export function onlyOurs({ pairs }: Row): readonly Step[] {
  const failedOnStock = new Set(failures(pairs, 'stock').map(({ name }) => name));
  const first = new Map<string, Step>();
  for (const step of failures(pairs, 'ours')) {
    if (!failedOnStock.has(step.name) && !first.has(step.name)) first.set(step.name, step);
  }
  return [...first.values()];
}

/** Whether our code carried messages in each run of ours, and in none of stock. */
export function isCarriedByUs({ pairs }: Row): boolean {
  return pairs.every(({ stock, ours }) => stock.frames === 0 && ours.frames > 0);
}

/** Whether the row shows that the program runs on our code as on stock. */
export function isGood(row: Row): boolean {
  return onlyOurs(row).length === 0 && isCarriedByUs(row) && row.pairs.some(({ ours }) => isWhole(ours));
}

function failures(pairs: readonly Pair[], side: Side): Step[] {
  return pairs.flatMap((pair) => pair[side].steps.filter(({ failure }) => failure !== null));
}

const isWhole = ({ steps }: Played): boolean => steps.every(({ failure }) => failure === null);

/** The table, and below it each step that counts against us, and what could not be installed. */
export function markdown(rows: readonly Row[], missing: readonly string[] = []): string {
  const lines = rows.map((row) => {
    const { name, version, uses, what, pairs } = row;
    const runs = (side: Side): string => `${pairs.filter((pair) => isWhole(pair[side])).length} of ${pairs.length}`;
    const steps = Math.max(...pairs.flatMap(({ stock, ours }) => [stock.steps.length, ours.steps.length]));
    const frames = Math.min(...pairs.map(({ ours }) => ours.frames));
    return `| ${name} ${version} | ${uses} | ${what === 'drive' ? `${steps} steps` : 'its own tests'} | ${runs('stock')} | ${runs('ours')} | ${frames} | ${verdict(row)} |`;
  });
  const reasons = [
    ...rows.flatMap((row) => onlyOurs(row).map(({ name, failure }) => `- ${row.name}, ${name}: ${failure}`)),
    ...missing.map((reason) => `- not run: ${reason}`),
  ];
  return [
    '| program | uses cluster or fork for | what was run | good on stock | good on ours | frames on our channel, at least | verdict |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...lines, ...(reasons.length > 0 ? ['', ...reasons] : []), '',
  ].join('\n');
}

function verdict(row: Row): string {
  if (!isCarriedByUs(row)) return 'counts as nothing: our code carried no message';
  const against = onlyOurs(row).length;
  if (against > 0) return `**fails on ours only: ${against}**`;
  return isGood(row) ? 'as on stock' : 'fails on both';
}
