/**
 * The matrix of conformance as Markdown and as one page: sums, a row for each clause of SPEC.md, and the first lines of
 * each difference, those that a user feels most first.
 *
 * Used by  foreign.ts
 */
import { coveredClauses } from '../../support/scenarios';
import { clauses } from '../clauses';
import { OPEN } from './allowed';
import { WEIGHTS, type Deviation, type Verdict, type Weight } from './judge';

/** One scenario on one runtime. */
export type Cell = Verdict | { readonly is: 'flaky'; readonly verdicts: readonly Verdict[] };

export interface Row {
  readonly scenario: string;
  /** One for each runtime. */
  readonly cells: readonly Cell[];
}

export interface Matrix {
  /** "2026-11-28" */
  readonly date: string;
  /** "Node 26.10.0" */
  readonly measure: string;
  /** Whether the messages of Node's protocol count. */
  readonly wire: boolean;
  readonly runtimes: readonly string[];
  readonly rows: readonly Row[];
  /** Scenarios that cannot be judged, with the reason. */
  readonly skipped: readonly { readonly scenario: string; readonly reason: string }[];
}

/** From the best to the worst: the cell of a clause is the worst of its scenarios. */
const ORDER = ['like', 'allowed', 'flaky', 'missing', 'different', 'crashes', 'hangs'] as const;
type Result = (typeof ORDER)[number];

const MARKS: Readonly<Record<Result, string>> = { like: '✓', allowed: '✓ (a)', flaky: '~', missing: '✗ missing', different: '✗', crashes: '✗ crashes', hangs: '✗ hangs' };

const MEANINGS: Readonly<Record<Result, string>> = {
  like: 'as on Node', allowed: 'differs only in what Node\'s documentation leaves open', flaky: 'two runs, two results', missing: 'the runtime says that it does not have this',
  different: 'what a program sees is different', crashes: 'the runtime itself fell over', hangs: 'did not end in time; what it left was ended',
};

const FEELS: Readonly<Record<Weight, string>> = {
  ends: 'a process ends otherwise', clients: 'a client gets something else', events: 'other events, or in another order', values: 'other values', allowed: 'left open by the documentation',
};

/** How many scenarios of a runtime have each result. */
export function sums(matrix: Matrix): { readonly runtime: string; readonly counts: Readonly<Record<Result, number>> }[] {
  return matrix.runtimes.map((runtime, at) => ({
    runtime,
    counts: Object.fromEntries(ORDER.map((result) => [result, matrix.rows.filter(({ cells }) => cells[at]?.is === result).length])) as Record<Result, number>,
  }));
}

/** One row for each clause that a program can see: the worst result of its scenarios, on each runtime. */
function clauseRows({ rows, runtimes }: Matrix): { readonly id: string; readonly title: string; readonly results: readonly Result[] }[] {
  const covering = new Map<string, Row[]>();
  for (const row of rows) for (const id of coveredClauses(row.scenario)) covering.set(id, [...(covering.get(id) ?? []), row]);
  return clauses.flatMap(({ id, title }) => {
    const own = covering.get(id);
    if (own === undefined) return [];
    const worst = runtimes.map((_, at) => own.map(({ cells }) => cells[at]?.is ?? 'like').reduce((one, other) => (ORDER.indexOf(one) > ORDER.indexOf(other) ? one : other)));
    return [{ id, title, results: worst }];
  });
}

/** The deviations of a cell, from its first run that has some. */
const deviationsOf = (cell: Cell): readonly Deviation[] => {
  if (cell.is === 'flaky') return cell.verdicts.map(deviationsOf).find((list) => list.length > 0) ?? [];
  return 'deviations' in cell ? cell.deviations : [];
};

/** The scenarios in which a runtime differs, those first that a user feels most. */
function differing({ rows }: Matrix, at: number): { readonly scenario: string; readonly cell: Cell; readonly weight: Weight }[] {
  const weightOf = (cell: Cell): Weight => (cell.is === 'hangs' || cell.is === 'crashes' ? 'ends' : deviationsOf(cell)[0]?.weight ?? 'values');
  return rows.flatMap(({ scenario, cells }) => {
    const cell = cells[at];
    return cell === undefined || cell.is === 'like' ? [] : [{ scenario, cell, weight: weightOf(cell) }];
  }).sort((one, other) => WEIGHTS.indexOf(one.weight) - WEIGHTS.indexOf(other.weight) || ORDER.indexOf(other.cell.is) - ORDER.indexOf(one.cell.is));
}

function reasonOf(cell: Cell): string {
  if (cell.is === 'missing') return cell.what;
  if (cell.is === 'crashes') return cell.how;
  if (cell.is === 'hangs') return cell.left > 0 ? `${cell.left} processes had to be ended` : 'its output was never closed';
  if (cell.is === 'flaky') return cell.verdicts.map(({ is }) => is).join(', then ');
  return '';
}

// ── Markdown ─────────────────────────────────────────────────────────────────────────────────────

const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

export function markdown(matrix: Matrix): string {
  const { date, measure, wire, runtimes, rows, skipped } = matrix;
  const sections = [
    `# Conformance, ${date}`,
    `Judged by what ${wire ? 'any program can see, and by the messages of Node\'s protocol' : 'any program can see'}, measured by ${measure} (three runs; what varies there is left out). ${rows.length} scenarios, ${skipped.length} cannot be judged.`,
    table(['runtime', ...ORDER], sums(matrix).map(({ runtime, counts }) => [runtime, ...ORDER.map((result) => String(counts[result]))])),
    ORDER.map((result) => `- \`${MARKS[result]}\` ${result}: ${MEANINGS[result]}`).join('\n'),
    `Left open by the documentation: ${OPEN.map(({ what, because }) => `${what} (${because})`).join('; ')}.`,
    '## By clause',
    table(['clause', ...runtimes, ''], clauseRows(matrix).map(({ id, title, results }) => [id, ...results.map((result) => MARKS[result]), title])),
    ...runtimes.flatMap((runtime, at) => [
      `## ${runtime}: where it differs`,
      ...differing(matrix, at).map(({ scenario, cell, weight }) => [
        `**${scenario}** (${MARKS[cell.is]}; ${FEELS[weight]}) ${reasonOf(cell)}`.trim(),
        ...deviationsOf(cell).slice(0, 2).map(({ where, expected, got }) => `\n\`\`\`\n${where}\n  expected:\n${indent(expected)}\n  got:\n${indent(got)}\n\`\`\``),
      ].join('\n')),
    ]),
    ...(skipped.length === 0 ? [] : ['## Not judged', skipped.map(({ scenario, reason }) => `- ${scenario}: ${reason}`).join('\n')]),
  ];
  return `${sections.join('\n\n')}\n`;
}

const indent = (text: string): string => text.split('\n').map((line) => `    ${line}`).join('\n');

// ── the page ─────────────────────────────────────────────────────────────────────────────────────

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escaped = (text: string): string => text.replace(/[&<>"']/g, (one) => ESCAPES[one] ?? one);

const STYLE = `:root { color-scheme: light dark; --ground: #faf9f6; --surface: #fff; --ink: #23262d; --muted: #6d7480; --line: #e6e2da; --good: #2f8f5b; --bad: #c8403a; --mid: #9a5b13;
  font: 14px/1.5 system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { :root { --ground: #15171b; --surface: #1c1f25; --ink: #e7e5df; --muted: #959ca8; --line: #2d3139; --good: #6cc797; --bad: #f0766f; --mid: #dba45c; } }
body { margin: 0 auto; max-width: 1100px; padding: 24px 16px; background: var(--ground); color: var(--ink); }
h1 { font-size: 20px; } h2 { font-size: 16px; margin-top: 32px; } p { color: var(--muted); max-width: 80ch; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; background: var(--surface); border: 1px solid var(--line); }
th, td { text-align: left; padding: 4px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; } td.title { white-space: normal; color: var(--muted); min-width: 240px; }
.like, .allowed { color: var(--good); } .different, .crashes, .hangs { color: var(--bad); } .missing, .flaky { color: var(--mid); }
details { border: 1px solid var(--line); background: var(--surface); border-radius: 8px; padding: 6px 12px; margin: 6px 0; } summary { cursor: pointer; }
pre { font: 12px/1.5 ui-monospace, monospace; overflow-x: auto; margin: 4px 0; } .sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 8px; }`;

export function page(matrix: Matrix): string {
  const { date, measure, wire, runtimes, rows, skipped } = matrix;
  const td = (text: string, kind = ''): string => `<td${kind === '' ? '' : ` class="${kind}"`}>${escaped(text)}</td>`;
  const tableOf = (head: readonly string[], body: readonly string[]): string =>
    `<div class="scroll"><table><thead><tr>${head.map((text) => `<th scope="col">${escaped(text)}</th>`).join('')}</tr></thead><tbody>${body.map((cells) => `<tr>${cells}</tr>`).join('')}</tbody></table></div>`;
  const differences = runtimes.map((runtime, at) => `<h2>${escaped(runtime)}: where it differs</h2>${differing(matrix, at).map(({ scenario, cell, weight }) =>
    `<details><summary><b>${escaped(scenario)}</b> <span class="${cell.is}">${escaped(MARKS[cell.is])}</span> ${escaped(FEELS[weight])} ${escaped(reasonOf(cell))}</summary>${
      deviationsOf(cell).map(({ where, expected, got }) => `<h3>${escaped(where)}</h3><div class="sides"><div>expected<pre>${escaped(expected)}</pre></div><div>got<pre>${escaped(got)}</pre></div></div>`).join('')}</details>`).join('')}`);
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Conformance of node:cluster, ${date}</title><style>${STYLE}</style>
<h1>Conformance of node:cluster, ${date}</h1>
<p>Judged by what ${wire ? 'any program can see, and by the messages of Node&#39;s protocol' : 'any program can see'}, measured by ${escaped(measure)} in three runs; what varies there is left out. ${rows.length} scenarios; ${skipped.length} cannot be judged.</p>
${tableOf(['runtime', ...ORDER], sums(matrix).map(({ runtime, counts }) => td(runtime) + ORDER.map((result) => td(String(counts[result]), result)).join('')))}
<p>${ORDER.map((result) => `${escaped(MARKS[result])} ${result}: ${escaped(MEANINGS[result])}`).join('. ')}. Left open by the documentation: ${escaped(OPEN.map(({ what, because }) => `${what} (${because})`).join('; '))}.</p>
<h2>By clause</h2>
${tableOf(['clause', ...runtimes, ''], clauseRows(matrix).map(({ id, title, results }) => td(id) + results.map((result) => td(MARKS[result], result)).join('') + td(title, 'title')))}
${differences.join('\n')}
</html>
`;
}
