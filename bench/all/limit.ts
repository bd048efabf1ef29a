/**
 * Checks the formula of "On paper" where two CPUs can: a primary that gets a tenth and a fifth of a CPU should be full at
 * a tenth and a fifth of 10^6 / its µs per connection. The µs are measured right before, without a limit.
 *
 * Used by  all/run.ts
 */
import { CpuShare } from '../cpu_share';
import { closed, costing, failures, isHandingOff, peerOf } from './measures';
import { inRotation, type Context } from './context';
import type { FigureId } from './outcome';

/** Parts of a CPU, and the figures that belong to each. */
const SHARES: readonly { readonly share: number; readonly rate: FigureId; readonly part: FigureId }[] = [
  { share: 0.1, rate: 'limit-tenth', part: 'limit-tenth-part' },
  { share: 0.2, rate: 'limit-fifth', part: 'limit-fifth-part' },
];
/** Seconds. */
const WINDOW = 1.5;

export async function limit(context: Context): Promise<void> {
  const { bench, samples, rows } = context;
  const cpu = CpuShare.open();
  if (typeof cpu === 'string') return rows.forEach(({ id }) => samples.dash('limit', id, cpu));
  const withoutHandOff = new Set<string>();
  try {
    await inRotation(context, 'limit', Math.min(5, bench.pairs), async (row) => {
      if (withoutHandOff.has(row.id)) return;
      const peer = peerOf(context, row);
      const { primary } = peer;
      const window = () => costing(peer, () => closed(context, peer.port, bench.seconds(WINDOW)));
      const free = await window();
      const each = free.primary / free.result.answered;
      if (primary === null || !isHandingOff(each)) {
        withoutHandOff.add(row.id);
        return samples.dash('limit', row.id, 'no process hands connections off');
      }
      for (const { share, rate, part } of SHARES) {
        cpu.limit(primary, share);
        const { result } = await window().finally(() => cpu.free(primary));
        if (failures(result) > 0) throw new Error(`with ${share} of a CPU ${failures(result)} connections failed`);
        const measured = result.answered / result.seconds;
        samples.add(rate, row.id, measured);
        samples.add(part, row.id, measured / ((share * 1e6) / each));
      }
    });
  } finally {
    cpu.close();
  }
}
