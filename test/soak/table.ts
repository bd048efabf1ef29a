/** What a soak found: figures with what they must be. */

export interface Figure {
  readonly figure: string;
  readonly value: number;
  /** What it must be at most (or exactly, with `exactly`). None: told only. */
  readonly most?: number;
  readonly exactly?: number;
}

export const isGood = ({ value, most, exactly }: Figure): boolean =>
  (most === undefined || value <= most) && (exactly === undefined || value === exactly);

/** As a table of Markdown. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((one) => {
    const must = one.exactly !== undefined ? String(one.exactly) : one.most !== undefined ? `≤ ${one.most}` : '';
    return `| ${one.figure} | ${Number.isInteger(one.value) ? one.value : one.value.toFixed(2)} | ${must} | ${isGood(one) ? '' : '**failed**'} |`;
  });
  return ['| figure | value | must | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/** The slope of the last half of these points, by least squares: units of y per unit of x. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const half = points.slice(Math.floor(points.length / 2));
  const meanX = half.reduce((sum, [x]) => sum + x, 0) / half.length;
  const meanY = half.reduce((sum, [, y]) => sum + y, 0) / half.length;
  const spread = half.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return spread === 0 ? 0 : half.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
}
