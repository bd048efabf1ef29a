/**
 * The matrix as Markdown, and a difference in one line.
 *
 * Used by  foreign.ts, page.ts, ../conformance.ts
 */
import { OPEN } from './allowed';
import { FEELS, MARKS, MEANINGS, RESULTS, clauseRows, deliberateOf, deviationsOf, differing, firstOf, groups, markOf, ownReasonOf, reasonOf, sums, unjudged, withoutDeliberate, type Differing, type Matrix } from './matrix';

const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
const code = (line: string): string => `\`${line.replaceAll('`', "'")}\``;
/** The line that differs, out of an excerpt. */
const marked = (excerpt: string): string => (excerpt.split('\n').find((text) => text.startsWith('►')) ?? excerpt.split('\n')[0] ?? '').replace(/^► /, '').slice(0, 90);

/** "P W1: Node `worker 'online'`, Bun `worker 'disconnect'`": the first difference that is not allowed. */
export function seenIn(cell: Differing['cell'], runtime: string): string {
  const first = firstOf(cell);
  const [expected, got] = first?.line ?? [marked(first?.expected ?? ''), marked(first?.got ?? '')];
  return [ownReasonOf(cell), ...(first === undefined ? [] : [`${first.where}: Node ${code(expected)}, ${runtime.split(' ')[0] ?? ''} ${code(got)}`])].filter((text) => text !== '').join('. ');
}

/** Each difference as one row, for each runtime that is measured by another one, those first that a user feels most; and the scenarios in which ours differs. */
export function differences(matrix: Matrix): string {
  const clauses = clauseRows(matrix);
  const sections = matrix.columns.flatMap(({ runtime, measure }, at) => {
    if (runtime.endsWith(measure)) return [];
    const rows = differing(matrix, at).map(({ scenario, about, cell, weight }) => [MARKS[cell.is], FEELS[weight], scenario, about, seenIn(cell, runtime), deliberateOf(cell)]);
    const clausesOf = new Map<string, string[]>();
    for (const { id, results, deliberate } of [...clauses].sort((one, other) => RESULTS.indexOf(one.results[at] ?? 'unjudged') - RESULTS.indexOf(other.results[at] ?? 'unjudged'))) {
      const mark = markOf(results[at] ?? 'unjudged', deliberate[at] === '' ? '' : 'D');
      clausesOf.set(mark, [...(clausesOf.get(mark) ?? []), id]);
    }
    const marks = [...clausesOf].map(([mark, ids]) => folded(`- \`${mark}\` ${ids.length}: ${ids.join(', ')}`));
    return [`## ${runtime}, measured by ${measure}`, table(['', 'a user sees that', 'scenario', 'what it is about', 'the first difference that is not allowed', 'D'], rows),
      `${runtime.split(' ')[0] ?? ''}, clause by clause:`, marks.join('\n')];
  });
  return [...sections, ...ofOurs(matrix)].join('\n\n');
}

/** A long item of a list, in lines of 120 columns at most. */
function folded(item: string): string {
  const lines = [''];
  for (const word of item.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last.length + word.length > 118) lines.push(`  ${word}`);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.join('\n');
}

/** The scenarios in which ours differs, with the numbers of the differences, and the versions of Node on which it does. */
function ofOurs(matrix: Matrix): string[] {
  const columns = matrix.columns.flatMap(({ runtime }, at) => (runtime.startsWith('ours on ') ? [{ major: runtime.replace(/^ours on Node (\d+).*$/, '$1'), at }] : []));
  if (columns.length === 0) return [];
  const rows = matrix.rows.flatMap(({ scenario, cells }) => {
    const on = columns.flatMap(({ major, at }) => { const cell = cells[at]; return cell === undefined || cell.is === 'like' || cell.is === 'unjudged' ? [] : [{ major, cell }]; });
    const [first] = on;
    return first === undefined ? [] : [[MARKS[first.cell.is], scenario, [...new Set(on.flatMap(({ cell }) => cell.rules ?? []))].join(' '), on.length === columns.length ? 'all' : on.map(({ major }) => major).join(', ')]];
  });
  return [`## cluster-internals on Node ${columns.map(({ major }) => major).join(', ')}`, table(['', 'scenario', 'D', 'on Node'], rows)];
}

/** Columns of the sums: what is not as on Node, and how much of it is only where ours differs deliberately too. */
export const DELIBERATE = ['✗ without a D', '✗ with a D', 'of these as cluster-internals'] as const;

const indent = (text: string): string => text.split('\n').map((line) => `    ${line}`).join('\n');

export function markdown(matrix: Matrix): string {
  const { date, wire, columns, rows, unusable } = matrix;
  const names = columns.map(({ runtime }) => runtime);
  const counts = sums(matrix);
  const without = withoutDeliberate(matrix);
  const list = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : [title, lines.map((line) => `- ${line}`).join('\n')]);
  const sections = [
    `# Conformance, ${date}`,
    `Judged by what ${wire ? 'any program can see, and by the messages of Node\'s protocol' : 'any program can see'}. A measure is three runs of a stock Node; what varies there is left out. A stock Node as a runtime is played once more. ${rows.length} scenarios.`,
    'A D is a deliberate difference of cluster-internals (test/README.md), often in place of a defect of Node. A ✗ with a D is a scenario in which cluster-internals differs too; "as cluster-internals": the runtime differs only there, and in the same way. A clause whose mark has a D in brackets differs in such scenarios only.',
    table(['runtime', 'measured by', ...RESULTS, 'processes left', ...DELIBERATE], columns.map(({ runtime, measure, left }, at) => [
      runtime, measure, ...RESULTS.map((result) => String(counts[at]?.counts[result])), String(left), ...[without[at]?.own, without[at]?.deliberate, without[at]?.asOurs].map(String)])),
    RESULTS.map((result) => `- \`${MARKS[result]}\` ${result}: ${MEANINGS[result]}`).join('\n'),
    ...list('Left open by the documentation:', OPEN.map(({ what, sentence, page }) => `${what}: ${sentence} (${page})`)),
    ...list('## Not run', unusable.map(({ runtime, reason }) => `${runtime}: ${reason}`)),
    '## By chapter of SPEC.md: clauses in which a program sees what it sees on Node',
    table(['', 'chapter', 'clauses', ...names], groups(matrix).map(({ letter, title, clauses, like }) => [letter, title, String(clauses), ...like.map(String)])),
    '## By clause',
    table(['clause', ...names, ''], clauseRows(matrix).map(({ id, title, results, deliberate }) => [id, ...results.map((result, at) => markOf(result, deliberate[at])), title])),
    ...columns.flatMap(({ runtime }, at) => [
      `## ${runtime}: where it differs`,
      ...differing(matrix, at).map(({ scenario, about, cell, weight }) => [
        `**${scenario}** (${MARKS[cell.is]}; ${FEELS[weight]}${cell.plays === undefined ? '' : `; ${cell.plays} plays`}) ${reasonOf(cell)}`.trim(),
        about,
        ...deviationsOf(cell).slice(0, 2).map(({ where, expected, got }) => `\n\`\`\`\n${where}\n  expected:\n${indent(expected)}\n  got:\n${indent(got)}\n\`\`\``),
      ].join('\n')),
    ]),
    ...list('## Not judged', unjudged(matrix).map(({ scenario, reason }) => `${scenario}: ${reason}`)),
  ];
  return `${sections.join('\n\n')}\n`;
}
