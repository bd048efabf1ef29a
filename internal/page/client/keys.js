/** The keyboard, the pointer on the picture, and the help that names the keys. */
import { view, fit, look, scrub, select, step, zoom } from './view.js';
import { hit } from './hit.js';
import { togglePlay } from './play.js';
import { goTo } from './targets.js';
import { clear } from './controls.js';
import { byId, fill, make, say } from './words.js';

const KEYS = {
  ArrowRight: () => step(1), ArrowLeft: () => step(-1), Home: () => select(0), End: () => select(view.steps.length - 1), ' ': togglePlay,
  '+': () => zoom(1 / 1.5), '=': () => zoom(1 / 1.5), '-': () => zoom(1.5), 0: () => fit(true), r: () => goTo('reclaimed'), k: () => goTo('killed'), b: () => goTo('blocked'), o: () => goTo('hangs'),
  '/': () => byId('search').focus(), t: () => byId('table').focus(), '?': showKeys,
  Escape: () => {
    if (view.matches !== null) clear();
    else select(-1);
  },
};

export function showKeys() {
  const dialog = byId('keys');
  fill(dialog, make('h2', {}, say('keys.title')), make('dl', {}, ['→ ←', 'Home End', 'Space', '+ − 0', '/', 'r', 'k', 'b', 'o', 't', 'Esc', '?'].flatMap((key, at) => [make('dt', {}, make('kbd', {}, key)), make('dd', {}, say(`keys.${at}`))])),
    make('p', { class: 'small' }, say('keys.pointer')), make('form', { method: 'dialog' }, make('button', { type: 'submit' }, say('close'))));
  dialog.showModal();
}

export function listenToKeys() {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId('keys').open) return;
    const name = event.target instanceof HTMLElement ? event.target.tagName : '';
    if (name === 'INPUT' || name === 'SELECT' || name === 'TEXTAREA') {
      if (event.key === 'Escape') event.target.blur();
      return;
    }
    if ((name === 'BUTTON' || name === 'SUMMARY' || name === 'PRE') && (event.key === ' ' || event.key === 'Enter')) return;
    if (event.target === byId('table') && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault();
      return step(event.key === 'ArrowDown' ? 1 : -1);
    }
    const run = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : undefined;
    if (run === undefined) return;
    event.preventDefault();
    run();
  });
  listenToPointer();
}

function listenToPointer() {
  const stage = byId('stage');
  const pointers = new Map();
  let moved = 0;
  let onAxis = false;
  const place = (event) => {
    const box = byId('picture').getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const unitAt = (x) => view.from + (x / view.width) * (view.to - view.from);
  stage.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    const { x, y } = place(event);
    pointers.set(event.pointerId, { x, y });
    moved = 0;
    onAxis = y < 30;
    stage.setPointerCapture(event.pointerId);
    if (onAxis) scrub(unitAt(x));
  });
  stage.addEventListener('pointermove', (event) => {
    const before = pointers.get(event.pointerId);
    const { x, y } = place(event);
    if (before === undefined) {
      stage.style.cursor = y < 30 ? 'col-resize' : hit(x, y + stage.scrollTop) === -1 ? 'grab' : 'pointer';
      return;
    }
    moved += Math.abs(x - before.x) + Math.abs(y - before.y);
    const span = view.to - view.from;
    if (pointers.size === 2) {
      const other = [...pointers.entries()].find(([id]) => id !== event.pointerId)[1];
      const [old, now] = [Math.abs(before.x - other.x), Math.abs(x - other.x)];
      if (old > 8 && now > 8) zoom(old / now, unitAt((x + other.x) / 2));
    } else if (onAxis) scrub(unitAt(x));
    else if (moved > 4) look(view.from - ((x - before.x) / view.width) * span, view.to - ((x - before.x) / view.width) * span);
    pointers.set(event.pointerId, { x, y });
  });
  const up = (event) => {
    if (!pointers.delete(event.pointerId) || event.type === 'pointercancel' || onAxis || moved > 4) return;
    const { x, y } = place(event);
    const at = hit(x, y + stage.scrollTop);
    if (at !== -1) select(at, false);
    else scrub(unitAt(x));
  };
  stage.addEventListener('pointerup', up);
  stage.addEventListener('pointercancel', up);
  stage.addEventListener('wheel', (event) => {
    const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    const span = view.to - view.from;
    if (event.ctrlKey || event.metaKey) zoom(Math.exp(event.deltaY * 0.004), unitAt(place(event).x));
    else if (Math.abs(sideways) > Math.abs(event.deltaY) || event.shiftKey) look(view.from + (sideways / view.width) * span, view.to + (sideways / view.width) * span);
    else return; // The stage scrolls.
    event.preventDefault();
  }, { passive: false });
  const overview = byId('overview');
  const jump = (event) => {
    const box = overview.getBoundingClientRect();
    const u = ((event.clientX - box.left) / box.width) * view.scale.length;
    const span = view.to - view.from;
    if (span < view.scale.length) look(u - span / 2, u + span / 2);
    scrub(u);
  };
  overview.addEventListener('pointerdown', (event) => {
    overview.setPointerCapture(event.pointerId);
    jump(event);
  });
  overview.addEventListener('pointermove', (event) => {
    if (overview.hasPointerCapture(event.pointerId)) jump(event);
  });
}
