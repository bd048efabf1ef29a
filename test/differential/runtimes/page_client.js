/**
 * The filters of the page of conformance (page.ts): which differences are shown. Without a script all of them are.
 *
 * A `.difference` has data-runtime, data-result and data-text; a `tr` of the clauses has data-text, and its cells are
 * buttons that choose their runtime and clause.
 */
'use strict';
const on = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];
const [runtime, result, search] = [on('runtime'), on('result'), on('search')];

const wanted = () => search.value.toLowerCase().split(/\s+/).filter((word) => word !== '');

/** Shows what fits all three filters, and says how much that is. */
function show() {
  const words = wanted();
  const fits = ({ text }) => words.every((word) => text.includes(word));
  for (const row of all('tr[data-text]')) row.hidden = !fits(row.dataset);
  let shown = 0;
  for (const each of all('.difference')) {
    const isShown = (runtime.value === '' || each.dataset.runtime === runtime.value) && (result.value === '' || each.dataset.result === result.value) && fits(each.dataset);
    each.hidden = !isShown;
    if (isShown) shown++;
  }
  for (const section of all('section.runtime')) section.hidden = section.querySelector('.difference:not([hidden])') === null;
  on('shown').textContent = `${shown} of ${all('.difference').length} differences shown`;
}

for (const control of [runtime, result, search]) control.addEventListener('input', show);
on('filters').addEventListener('submit', (event) => event.preventDefault());
on('filters').addEventListener('reset', () => setTimeout(show));
document.addEventListener('click', ({ target }) => {
  const cell = target.closest('button[data-clause]');
  if (cell === null) return;
  runtime.value = cell.dataset.runtime;
  result.value = '';
  search.value = cell.dataset.clause;
  show();
  on('differences').scrollIntoView();
});
show();
