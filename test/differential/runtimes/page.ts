/**
 * The matrix as one page, in the style of the page of `watch`: sums, a table of the clauses, and each difference with
 * the first lines that differ. It loads nothing; its policy lets only its own style and script run.
 *
 * Used by  foreign.ts
 * Uses     page.css and page_client.js, which stand in the page as they are
 * Never    puts a text of a runtime where a browser would read it as markup
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { escapeMarkup, policyOf } from '../../../internal/page/page';
import { readPart } from '../../../internal/page/script';
import { OPEN } from './allowed';
import { DELIBERATE } from './markdown';
import { FEELS, MARKS, MEANINGS, RESULTS, clauseRows, deviationsOf, differing, groups, markOf, reasonOf, sums, unjudged, withoutDeliberate, type Differing, type Matrix } from './matrix';

const own = (name: string): string => readFileSync(path.join(__dirname, name), 'utf8');

export function page(matrix: Matrix): string {
  const { date, wire, columns, rows } = matrix;
  // The first part, up to the first empty line, has the colours and what each element looks like.
  const style = `${readPart('client/style.css').split('\n\n')[0]}\n${own('page.css')}`;
  const script = own('page_client.js');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policyOf(style, script, false)}">
<title>Conformance of node:cluster, ${escapeMarkup(date)}</title><style>${style}</style></head><body>
<h1>Conformance of node:cluster and child_process.fork</h1>
<p>${escapeMarkup(date)}. ${rows.length} scenarios, judged by what ${wire ? 'any program can see, and by the messages of Node&#39;s protocol' : 'any program can see'}: events, arguments, errors, their order, what clients get, exit codes. A measure is three runs of a stock Node; what varies there is left out.</p>
${sumTable(matrix)}
${legend(matrix)}
<h2>By chapter: clauses in which a program sees what it sees on Node</h2>
${chapterTable(matrix)}
<h2>By clause</h2>
<p>A mark is the worst of the clause&#39;s scenarios. With a D in brackets cluster-internals differs deliberately in all the scenarios that differ. A click shows what differs.</p>
${clauseTable(matrix)}
<h2 id="differences">Differences, those first that a user feels most</h2>
${filters(matrix)}
${columns.map(({ runtime }, at) => `<section class="runtime"><h2>${escapeMarkup(runtime)}</h2>${differing(matrix, at).map((each) => difference(runtime, each)).join('\n')}</section>`).join('\n')}
<script>${script}</script>
</body></html>
`;
}

// ── tables ───────────────────────────────────────────────────────────────────────────────────────

const td = (text: string, kind = ''): string => `<td${kind === '' ? '' : ` class="${kind}"`}>${escapeMarkup(text)}</td>`;
const tableOf = (head: readonly string[], body: readonly string[]): string =>
  `<div class="scroll"><table><thead><tr>${head.map((text) => `<th scope="col">${escapeMarkup(text)}</th>`).join('')}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>`;

function sumTable(matrix: Matrix): string {
  const counts = sums(matrix);
  const without = withoutDeliberate(matrix);
  return tableOf(['runtime', 'measured by', ...RESULTS, 'processes left', ...DELIBERATE], matrix.columns.map(({ runtime, measure, left }, at) =>
    `<tr>${td(runtime)}${td(measure)}${RESULTS.map((result) => td(String(counts[at]?.counts[result] ?? 0), result)).join('')}${td(String(left))}${[without[at]?.own, without[at]?.deliberate, without[at]?.asOurs].map((count) => td(String(count))).join('')}</tr>`));
}

function chapterTable(matrix: Matrix): string {
  return tableOf(['', 'chapter', 'clauses', ...matrix.columns.map(({ runtime }) => runtime)], groups(matrix).map(({ letter, title, clauses, like }) =>
    `<tr>${td(letter)}${td(title)}${td(String(clauses))}${like.map((count) => td(String(count), count === clauses ? 'like' : '')).join('')}</tr>`));
}

function clauseTable(matrix: Matrix): string {
  const cell = (runtime: string, id: string, result: (typeof RESULTS)[number], deliberate: string): string => (['like', 'unjudged'].includes(result) ? td(MARKS[result], result)
    : `<td class="${result}"><button type="button" data-runtime="${escapeMarkup(runtime)}" data-clause="${id}">${escapeMarkup(markOf(result, deliberate))}</button></td>`);
  return tableOf(['clause', ...matrix.columns.map(({ runtime }) => runtime), ''], clauseRows(matrix).map(({ id, title, scenarios, results, deliberate }) =>
    `<tr data-text="${textOf([id, title, ...scenarios])}">${td(id)}${results.map((result, at) => cell(matrix.columns[at]?.runtime ?? '', id, result, deliberate[at] ?? '')).join('')}${td(title, 'title')}</tr>`));
}

/** What the search looks at. */
const textOf = (parts: readonly string[]): string => escapeMarkup(parts.join(' ').toLowerCase());

// ── texts ────────────────────────────────────────────────────────────────────────────────────────

function legend(matrix: Matrix): string {
  const list = (title: string, lines: readonly string[]): string => (lines.length === 0 ? '' : `<details><summary>${title}</summary><ul>${lines.map((line) => `<li>${line}</li>`).join('')}</ul></details>`);
  return [
    `<p>${RESULTS.map((result) => `<span class="${result}">${escapeMarkup(MARKS[result])}</span> ${escapeMarkup(`${result}: ${MEANINGS[result]}`)}`).join(' · ')}</p>`,
    list('What Node&#39;s documentation leaves open', OPEN.map((open) => `${escapeMarkup(`${open.what}: ${open.sentence}`)} (${escapeMarkup(open.page)})`)),
    list('Not judged', unjudged(matrix).map(({ scenario, reason }) => escapeMarkup(`${scenario}: ${reason}`))),
    ...matrix.unusable.map(({ runtime, reason }) => `<p class="bad">${escapeMarkup(`${runtime} was not run: ${reason}`)}</p>`),
  ].join('\n');
}

function filters({ columns }: Matrix): string {
  const select = (id: string, all: string, values: readonly string[]): string =>
    `<label class="hidden" for="${id}">${id}</label><select id="${id}"><option value="">${all}</option>${values.map((value) => `<option>${escapeMarkup(value)}</option>`).join('')}</select>`;
  return `<form class="filters" id="filters">${select('runtime', 'every runtime', columns.map(({ runtime }) => runtime))}${select('result', 'every result', RESULTS.filter((result) => result !== 'like' && result !== 'unjudged'))}
<label class="hidden" for="search">search</label><input id="search" type="search" placeholder="clause, scenario, words"><button type="reset">Clear</button><span class="small" id="shown" aria-live="polite"></span></form>`;
}

function difference(runtime: string, { scenario, about, clauses, cell, weight }: Differing): string {
  const sides = deviationsOf(cell).map(({ where, expected, got }) =>
    `<h3>${escapeMarkup(where)}</h3><div class="sides"><div>expected<pre>${escapeMarkup(expected)}</pre></div><div>got<pre>${escapeMarkup(got)}</pre></div></div>`).join('');
  return `<details class="difference" data-runtime="${escapeMarkup(runtime)}" data-result="${cell.is}" data-text="${textOf([scenario, about, ...clauses, FEELS[weight]])}">
<summary><b>${escapeMarkup(scenario)}</b> <span class="${cell.is}">${escapeMarkup(MARKS[cell.is])}</span> <span class="small">${escapeMarkup([FEELS[weight], reasonOf(cell)].filter((text) => text !== '').join('; '))}</span></summary>
<p>${escapeMarkup(`${about} (${clauses.join(', ')})`)}</p>${sides}</details>`;
}
