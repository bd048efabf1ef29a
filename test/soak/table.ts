/** The figures of a soak, each with its limit, as a table; and the slope of a curve. Used by test/soak/run.ts. */
import { columns, paint } from '../support/terminal';

export interface Figure {
  readonly figure: string;
  readonly value: number;
  /** The figure must be at most `most`, or equal to `exactly`. Without either it is only printed. */
  readonly most?: number;
  readonly exactly?: number;
}

export const isGood = ({ value, most, exactly }: Figure): boolean =>
  (most === undefined || value <= most) && (exactly === undefined || value === exactly);

/** As columns, with a word at the end of each line whose figure is not what it must be. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((one) => {
    const must = one.exactly !== undefined ? String(one.exactly) : one.most !== undefined ? `≤ ${one.most}` : '';
    return [one.figure, Number.isInteger(one.value) ? String(one.value) : one.value.toFixed(2), must, isGood(one) ? '' : 'FAILED'];
  });
  const [head = '', ...lines] = columns([['figure', 'value', 'must be', ''], ...rows]).split('\n');
  return [paint('bold', head), ...lines.map((line) => (line.endsWith('FAILED') ? paint('red', line) : line))].join('\n');
}

/** The slope of a line through the last half of these points (least squares), in units of y per unit of x. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const half = points.slice(Math.floor(points.length / 2));
  const meanX = half.reduce((sum, [x]) => sum + x, 0) / half.length;
  const meanY = half.reduce((sum, [, y]) => sum + y, 0) / half.length;
  const spread = half.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return spread === 0 ? 0 : half.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
}
