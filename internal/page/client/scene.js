/** The tour: the list of scenes, and for each a paragraph, a question, and its answer in the recording. */
import { view, select, show } from './view.js';
import { blockedAt } from './model.js';
import { byId, fill, make, say } from './words.js';

let drawn = '';
let isAnswered = false;

export function drawScene() {
  const scene = view.scenes[view.scene];
  const key = `${view.scene} ${document.documentElement.lang} ${isAnswered}`;
  if (key === drawn) return;
  drawn = key;
  const isTour = view.scenes.length > 1 || say(`scene.${scene.key}.title`) !== '';
  byId('scene').hidden = !isTour;
  byId('scenes').hidden = view.scenes.length < 2;
  document.body.classList.toggle('is-tour', isTour);
  if (view.scenes.length > 1) {
    byId('scenes').setAttribute('aria-label', say('tour.scenes'));
    const menu = make('select', { 'aria-label': say('tour.scenes'), id: 'scene-menu', change: (event) => open(Number(event.target.value)) },
      view.scenes.map(({ key: each }, at) => make('option', { value: at }, `${at + 1}. ${say(`scene.${each}.title`)}`)));
    menu.value = String(view.scene);
    fill(byId('scenes'),
      make('button', { type: 'button', class: 'quiet', 'aria-label': say('tour.before'), disabled: view.scene === 0, click: () => open(view.scene - 1) }, '‹'), menu,
      make('button', { type: 'button', class: 'quiet', id: 'scene-next', 'aria-label': say('tour.next'), disabled: view.scene === view.scenes.length - 1, click: () => open(view.scene + 1) }, '›'));
  }
  if (!isTour) return;
  fill(byId('scene'),
    make('h2', {}, say(`scene.${scene.key}.title`)),
    make('p', {}, say(`scene.${scene.key}.text`), scene.facts ? ` ${say(`scene.${scene.key}.facts`, scene.facts)}` : null),
    scene.program ? make('p', { class: 'small' }, say('tour.program'), ' ', make('code', {}, scene.program)) : null,
    make('div', { class: 'question' }, make('p', {}, make('b', {}, say('tour.question')), ' ', say(`scene.${scene.key}.question`)),
      isAnswered ? make('p', { class: 'answer' }, say(`scene.${scene.key}.answer`, scene.facts ?? {})) : make('button', { type: 'button', id: 'answer', click: answer }, say('tour.answer'))));
}

function open(scene) {
  isAnswered = false;
  show(scene);
}

const isToBlocked = ({ track, to, t }) => track.processes.has(to) && blockedAt(track.processes.get(to), t) !== undefined;

/** Shows the answer, and goes to the event that gives it. */
function answer() {
  isAnswered = true;
  const wanted = view.scenes[view.scene].answer ?? {};
  const { track = 0, nth = 0, toBlocked = false, ...fields } = wanted;
  const found = view.steps.filter((event) => event.track.number === track && Object.entries(fields).every(([name, value]) => event[name] === value) && (!toBlocked || isToBlocked(event)));
  if (found.length > 0) select((found[nth] ?? found[0]).step);
  drawScene();
}
