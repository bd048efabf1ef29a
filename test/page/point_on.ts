/** Where to click: asks the page's own modules where they draw a message. */
import path from 'node:path';
import { root } from '../support/program';
import type { Page } from './browser';
import type { MadeRecording } from './recordings';

/** Where a message is in the picture, in pixels of the window: from its sender (0) to its receiver (1). */
export async function pointOn(page: Page, recording: MadeRecording, id: string, part: number): Promise<readonly [number, number]> {
  const client = path.join(root, 'internal/page/client');
  const [model, scales, layouts] = await Promise.all(['model', 'scale', 'layout'].map((name) => import(path.join(client, `${name}.js`)))) as [any, any, any];
  const track = model.buildTrack({ ...recording, label: '' }, 0);
  const steps = track.events.filter(model.isStep) as { t: number }[];
  const scale = scales.makeScale(steps.map(({ t }) => t), track.end, 'steps');
  const { laneOf } = layouts.layOut([track], scale);
  const arrow = track.frames.get(id);
  await page.until(`location.hash.includes('from=')`);
  const { from, to, left, top, width, scroll } = await page.evaluate<Record<string, number>>(`(() => { const parts = new URLSearchParams(location.hash.slice(1)); const box = document.getElementById('picture').getBoundingClientRect();
    return { from: Number(parts.get('from')), to: Number(parts.get('to')), left: box.left, top: box.top, width: box.width, scroll: document.getElementById('stage').scrollTop }; })()`) as { from: number; to: number; left: number; top: number; width: number; scroll: number };
  const x = (t: number): number => left + ((scales.unitOf(scale, t) - from) / (to - from)) * width;
  const y = (name: string): number => top - scroll + laneOf.get(`0.${name}`).base;
  return [x(arrow.t0) + (x(arrow.t1) - x(arrow.t0)) * part, y(arrow.from) + (y(arrow.to) - y(arrow.from)) * part];
}
