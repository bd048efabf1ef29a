/**
 * The words of the page in the reader's language, numbers with their units, and the only ways in which this page makes
 * elements. Texts of a recording go into textContent, never into markup.
 */
let texts = {};
let language = 'en';

export function useTexts(all, wanted) {
  language = all[wanted] ? wanted : 'en';
  texts = { ...all.en, ...all[language] };
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : language;
}

export const currentLanguage = () => language;

/** The text of a key; `{name}` in it stands for a value. A key without a text gives '' (or itself, if `orKey`). */
export function say(key, values = {}, orKey = false) {
  const text = Object.hasOwn(texts, key) ? texts[key] : orKey ? key : '';
  return text.replace(/\{(\w+)\}/g, (all, name) => (Object.hasOwn(values, name) ? String(values[name]) : all));
}

/** The name of a worker's state; a state that this page does not know is shown as it is. */
export const stateText = (state) => say(`state.${state}`) || visible(state);

/** An address by its key; a key with port 0 names no port that a reader could use. */
export function addressText(key) {
  const address = /^(.+):0:-?\d+:[^:]*:\d+$/.exec(String(key))?.[1];
  return address === undefined ? String(key) : say('address.any', { address, key });
}

/** A time in nanoseconds, with a unit that fits. */
export function time(ns, digits = 3) {
  if (!Number.isFinite(ns)) return '–';
  const size = Math.abs(ns);
  if (size >= 1e9) return `${trim(ns / 1e9, digits)} s`;
  if (size >= 1e6) return `${trim(ns / 1e6, digits)} ms`;
  if (size >= 1e3) return `${trim(ns / 1e3, Math.min(digits, 1))} µs`;
  return `${Math.round(ns)} ns`;
}

const trim = (value, digits) => {
  const whole = Math.floor(Math.abs(value)).toString().length;
  return value.toFixed(Math.max(0, Math.min(digits, digits + 1 - whole)));
};

/** Control characters and the characters that turn the direction of a text, made visible. */
export const visible = (text) => String(text)
  .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);

export const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** An element: `make('p', { class: 'x' }, 'text', child, …)`. A function as value is a listener. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(key, value);
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) element.append(child);
  return element;
}

/** A window as narrow as a phone's: the same width as in style.css. */
export const isNarrow = () => matchMedia('(max-width: 900px)').matches;

export const byId = (id) => document.getElementById(id);

/** Says something above the picture, in place of what stood there. */
export function notice(text) {
  byId('notice').hidden = false;
  byId('notice').textContent = text;
}

/** Replaces what an element contains. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}
