/** Plays a recording: the cursor moves evenly over the scale, so a wait of seconds takes no longer than one message. */
import { view, changed, lastUntil, look } from './view.js';
import { timeOf } from './scale.js';

/** Units of the scale in a second at speed 1: slow enough to follow each message with the eye. */
const UNITS_PER_SECOND = 2.5;
let last = 0;

export function togglePlay() {
  view.playing = !view.playing;
  if (view.playing && view.cursor >= view.scale.length - 0.5) view.cursor = 0;
  last = performance.now();
  if (view.playing) requestAnimationFrame(advance);
  changed();
}

function advance(now) {
  if (!view.playing) return;
  const passed = Math.min(100, now - last);
  last = now;
  view.cursor = Math.min(view.scale.length, view.cursor + (passed / 1000) * UNITS_PER_SECOND * view.speed);
  view.selected = lastUntil(timeOf(view.scale, view.cursor) + 0.5);
  const span = view.to - view.from;
  if (view.cursor > view.from + span * 0.7) look(view.cursor - span * 0.7, view.cursor + span * 0.3);
  if (view.cursor < view.from) look(view.cursor - span * 0.1, view.cursor + span * 0.9);
  if (view.cursor >= view.scale.length) view.playing = false;
  changed();
  requestAnimationFrame(advance);
}
