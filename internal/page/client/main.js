/** Starts the page: reads the data that stands in it, and draws whatever has changed, once a frame. */
import { view, changed, fit, onChange, show } from './view.js';
import { draw, drawOverview, readColours } from './draw.js';
import { drawControls } from './controls.js';
import { drawLabels } from './labels.js';
import { drawPanel, forgetPanel } from './panel.js';
import { drawRows, drawTable } from './table.js';
import { drawScene } from './scene.js';
import { drawActions, startLive } from './live.js';
import { listenToKeys, showKeys } from './keys.js';
import { readHash, writeHash } from './hash.js';
import { byId, currentLanguage, notice, say, useTexts, visible } from './words.js';

const data = JSON.parse(byId('data').textContent);

function useLanguage(language) {
  useTexts(data.texts, language);
  forgetPanel();
  byId('language').textContent = currentLanguage() === 'zh' ? 'English' : '中文';
  byId('language').setAttribute('lang', currentLanguage() === 'zh' ? 'en' : 'zh-CN');
  byId('theme').textContent = '◐';
  byId('theme').setAttribute('aria-label', say('theme'));
  byId('theme').title = say('theme');
  byId('help').setAttribute('aria-label', say('keys.title'));
  byId('help').title = say('keys.title');
  byId('stage').setAttribute('aria-label', say('stage.label'));
  byId('title').textContent = visible(data.title);
  byId('subtitle').textContent = say(data.live ? 'subtitle.live' : data.scenes.length > 1 ? 'subtitle.tour' : 'subtitle');
}

function measure() {
  view.width = Math.max(120, byId('picture').parentElement.clientWidth - byId('lanes').offsetWidth);
}

function start() {
  view.scenes = data.scenes;
  view.sources = data.sources;
  useLanguage(data.language ?? (navigator.language.startsWith('zh') ? 'zh' : 'en'));
  measure();
  show(0);
  if (data.notice) notice(data.notice);
  for (const paint of [drawScene, drawControls, drawActions, drawLabels, draw, drawOverview, drawTable, drawPanel, writeHash]) onChange(paint);
  // For whoever measures: when everything was drawn for the first time, and how many events that is.
  onChange(() => {
    if (document.body.dataset.drawn === undefined) performance.mark('drawn');
    document.body.dataset.drawn = String(view.steps.length);
  });
  listenToKeys();
  byId('stage').addEventListener('scroll', changed);
  byId('table').addEventListener('scroll', drawRows);
  byId('help').addEventListener('click', showKeys);
  byId('language').addEventListener('click', () => {
    useLanguage(currentLanguage() === 'zh' ? 'en' : 'zh');
    changed();
  });
  byId('theme').addEventListener('click', () => {
    const { dataset } = document.documentElement;
    const isDark = dataset.theme === undefined ? matchMedia('(prefers-color-scheme: dark)').matches : dataset.theme === 'dark';
    dataset.theme = isDark ? 'light' : 'dark';
    readColours();
    changed();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    readColours();
    changed();
  });
  new ResizeObserver(() => {
    const before = view.width;
    measure();
    if (Math.abs(view.width - before) > 100 && location.hash === '') fit();
    changed();
  }).observe(byId('stage'));
  window.addEventListener('hashchange', readHash);
  readHash();
  if (data.live) startLive(data.live);
  changed();
}

start();
