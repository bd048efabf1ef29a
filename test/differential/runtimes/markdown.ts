/**
 * The matrix as Markdown.
 *
 * Used by  foreign.ts
 */
import { OPEN } from './allowed';
import { FEELS, MARKS, MEANINGS, RESULTS, clauseRows, deviationsOf, differing, groups, reasonOf, sums, unjudged, type Matrix } from './matrix';

const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
/** The line that differs, out of an excerpt. */
const marked = (excerpt: string): string => {
  const line = (excerpt.split('\n').find((text) => text.startsWith('►')) ?? excerpt.split('\n')[0] ?? '').replace(/^► /, '').replaceAll('`', "'");
  return `\`${line.length > 90 ? `${line.slice(0, 90)}…` : line}\``;
};

/** Each difference as one row, for each runtime that is measured by another one; those first that a user feels most. */
export function differences(matrix: Matrix): string {
  const sections = matrix.columns.flatMap(({ runtime, measure }, at) => {
    if (runtime.endsWith(measure)) return [];
    const rows = differing(matrix, at).map(({ scenario, about, cell, weight }) => {
      const [first] = deviationsOf(cell);
      const seen = first === undefined ? reasonOf(cell) : `${first.where}: ${marked(first.expected)}, here ${marked(first.got)}`;
      return [MARKS[cell.is], FEELS[weight], scenario, about, seen, (cell.rules ?? []).join(' ')];
    });
    return [`## ${runtime}, measured by ${measure}`, table(['', 'a user sees that', 'scenario', 'what it is about', 'the first line that differs', 'D'], rows)];
  });
  return sections.join('\n\n');
}

const indent = (text: string): string => text.split('\n').map((line) => `    ${line}`).join('\n');

export function markdown(matrix: Matrix): string {
  const { date, wire, columns, rows, unusable } = matrix;
  const names = columns.map(({ runtime }) => runtime);
  const counts = sums(matrix);
  const list = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : [title, lines.map((line) => `- ${line}`).join('\n')]);
  const sections = [
    `# Conformance, ${date}`,
    `Judged by what ${wire ? 'any program can see, and by the messages of Node\'s protocol' : 'any program can see'}. A measure is three runs of a stock Node; what varies there is left out. ${rows.length} scenarios.`,
    table(['runtime', 'measured by', ...RESULTS, 'processes left'], columns.map(({ runtime, measure, left }, at) => [runtime, measure, ...RESULTS.map((result) => String(counts[at]?.counts[result])), String(left)])),
    RESULTS.map((result) => `- \`${MARKS[result]}\` ${result}: ${MEANINGS[result]}`).join('\n'),
    ...list('Left open by the documentation:', OPEN.map(({ what, sentence, page }) => `${what}: ${sentence} (${page})`)),
    ...list('## Not run', unusable.map(({ runtime, reason }) => `${runtime}: ${reason}`)),
    '## By chapter of SPEC.md: clauses in which a program sees what it sees on Node',
    table(['', 'chapter', 'clauses', ...names], groups(matrix).map(({ letter, title, clauses, like }) => [letter, title, String(clauses), ...like.map(String)])),
    '## By clause',
    table(['clause', ...names, ''], clauseRows(matrix).map(({ id, title, results }) => [id, ...results.map((result) => MARKS[result]), title])),
    ...columns.flatMap(({ runtime }, at) => [
      `## ${runtime}: where it differs`,
      ...differing(matrix, at).map(({ scenario, about, cell, weight }) => [
        `**${scenario}** (${MARKS[cell.is]}; ${FEELS[weight]}) ${reasonOf(cell)}`.trim(),
        about,
        ...deviationsOf(cell).slice(0, 2).map(({ where, expected, got }) => `\n\`\`\`\n${where}\n  expected:\n${indent(expected)}\n  got:\n${indent(got)}\n\`\`\``),
      ].join('\n')),
    ]),
    ...list('## Not judged', unjudged(matrix).map(({ scenario, reason }) => `${scenario}: ${reason}`)),
  ];
  return `${sections.join('\n\n')}\n`;
}
