/**
 * Makes the page: one HTML file that shows recordings. It holds its style, its script, its texts, the events, and the
 * sources that the events name. It loads nothing, and its Content-Security-Policy lets it load nothing: the only style
 * and script that run are the two whose hash stands in the policy.
 *
 * Used by  view.ts, live/watch.ts
 * Uses     script.ts
 * Never    puts a text of a recording where a browser would read it as markup: the events stand in a block of JSON in
 *          which every `<` is escaped
 */
import { createHash } from 'node:crypto';
import { pageScript, readPart } from './script';

/** One recording, or the part of it that fits. */
export interface PageTrack {
  readonly label: string;
  readonly header: object;
  readonly events: readonly object[];
  /** What the reader has to know about it: for example that it is only a part. */
  readonly notes: readonly string[];
}

/** One or two recordings that are shown together. */
export interface PageScene {
  /** The name of its texts (`scene.KEY.title` …) and its name in the URL. */
  readonly key: string;
  readonly tracks: readonly PageTrack[];
  /** The command that runs its program. */
  readonly program?: string;
  /** Numbers that its texts name. */
  readonly facts?: Readonly<Record<string, string | number>>;
  /** The event that answers its question: its track, fields that it must have, and which of those. */
  readonly answer?: Readonly<Record<string, unknown>>;
}

/** Everything that a page holds. */
export interface PageData {
  readonly title: string;
  readonly scenes: readonly PageScene[];
  /** Texts of source files, by their path in the project. */
  readonly sources: Readonly<Record<string, string>>;
  readonly notice?: string | null;
  /** The language that the page begins in; otherwise that of the browser. */
  readonly language?: 'en' | 'zh' | null;
  /** More texts, by language: those of the scenes. */
  readonly texts?: Readonly<Record<string, object>>;
  /** Only where a program serves the page. */
  readonly live?: { readonly token: string } | null;
}

const LANGUAGES = ['en', 'zh'] as const;

/** The whole page. */
export function makePage(data: PageData): string {
  const style = readPart('client/style.css');
  const script = pageScript();
  if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style)) throw new Error('The script or the style of the page would end their element');
  const texts = Object.fromEntries(LANGUAGES.map((language) => [language, { ...(JSON.parse(readPart(`texts/${language}.json`)) as object), ...data.texts?.[language] }]));
  const values: Readonly<Record<string, string>> = {
    policy: policyOf(style, script, data.live !== undefined && data.live !== null),
    title: escapeMarkup(data.title), style, script,
    data: JSON.stringify({ ...data, texts }).replace(/</g, '\\u003c').replace(/\u2028/g, '\\u2028').replace(/\u2029/g, '\\u2029'),
  };
  return readPart('client/index.html').replace(/\{\{(\w+)\}\}/g, (all, name: string) => values[name] ?? all);
}

/** What the page may load: nothing but itself, and live what its own server sends. */
export function policyOf(style: string, script: string, isLive: boolean): string {
  const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  return ["default-src 'none'", `script-src ${hash(script)}`, `style-src ${hash(style)}`, 'img-src data:', isLive ? "connect-src 'self'" : "connect-src 'none'",
    "base-uri 'none'", "form-action 'none'"].join('; ');
}

/** A text as it stands in markup: no character of it is read as a tag or as the end of an attribute. */
export const escapeMarkup = (text: string): string => text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
