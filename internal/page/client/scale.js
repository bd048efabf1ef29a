/**
 * From time to place. Most of a recording is waiting: on an even axis of time every message would be an upright line.
 * So there are two scales: 'steps', where each event has room and long waits are short, and 'time', which is even.
 * A scale maps a time in nanoseconds to units, by straight lines between anchors; the window says which units are seen.
 */
const TEN_MICROSECONDS = 10_000;

/** `times`: of the events, in any order. */
export function makeScale(times, end, mode) {
  const sorted = [...new Set(times)].sort((a, b) => a - b);
  const first = Math.min(sorted[0] ?? 0, 0);
  const last = Math.max(sorted.at(-1) ?? 1, end);
  const ts = [first];
  const us = [0];
  if (mode === 'time') {
    const units = Math.max(10, sorted.length);
    ts.push(Math.max(last, first + 1));
    us.push(units);
  } else {
    let u = 0;
    for (const t of sorted) {
      if (t <= ts[ts.length - 1]) continue;
      u += widthOf(t - ts[ts.length - 1]);
      ts.push(t);
      us.push(u);
    }
    ts.push(Math.max(last, ts[ts.length - 1]) + 1);
    us.push(u + Math.max(1, widthOf(last - ts[ts.length - 2])));
  }
  return { mode, ts, us, length: us[us.length - 1] };
}

/** A wait in units: 1 for up to 10 µs, half a unit more for each ten times. */
const widthOf = (gap) => 1 + 0.45 * Math.log10(1 + gap / TEN_MICROSECONDS);

const find = (list, value) => {
  let low = 0;
  let high = list.length - 1;
  while (low < high - 1) {
    const middle = (low + high) >> 1;
    if (list[middle] <= value) low = middle; else high = middle;
  }
  return low;
};

const between = (from, to, value) => {
  const at = find(from, value);
  const span = from[at + 1] - from[at];
  return to[at] + (span > 0 ? (value - from[at]) / span : 0) * (to[at + 1] - to[at]);
};

export const unitOf = (scale, t) => between(scale.ts, scale.us, t);
export const timeOf = (scale, u) => between(scale.us, scale.ts, u);

/** Waits of at least 20 ms that the scale has made short: [{ t0, t1 }]. */
export function shortened(scale, u0, u1) {
  if (scale.mode === 'time') return [];
  const found = [];
  const { ts, us } = scale;
  for (let at = find(us, Math.max(0, u0)); at < ts.length - 1 && us[at] < u1; at++) {
    if (ts[at + 1] - ts[at] >= 2e7) found.push({ t0: ts[at], t1: ts[at + 1] });
  }
  return found;
}
