/**
 * The context of a run of the peers, which each measure gets: the bench, the peers, and the place for samples. And the
 * rotation in which a measure takes the peers.
 *
 * Used by  all/
 */
import type { Bench } from '../bench';
import type { MeasureId, PeerRow } from '../peers_table';
import type { Samples } from './outcome';
import type { Started } from './start';

export interface Context {
  readonly bench: Bench;
  readonly workers: number;
  readonly rows: readonly PeerRow[];
  /** The peers that run during the whole of the run, by id. */
  readonly started: ReadonlyMap<string, Started>;
  readonly samples: Samples;
  readonly distributions: Record<string, readonly { readonly upTo: number; readonly share: number }[]>;
  readonly notes: string[];
}

/**
 * Measures the peers in turn, as often as `rounds` says; each round begins with another peer, so that none always follows
 * the same one. A peer that lacks the measure, or fails in it, gets a dash with the reason, and the others go on.
 */
export async function inRotation(context: Context, measure: MeasureId, rounds: number, one: (row: PeerRow, round: number) => Promise<void>): Promise<void> {
  const { rows, samples, bench } = context;
  const taking = rows.filter((row) => {
    const reason = row.lacks?.[measure];
    if (reason !== undefined) samples.dash(measure, row.id, reason);
    return reason === undefined;
  });
  const failed = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    const order = rotated(taking, round).filter(({ id }) => !failed.has(id));
    for (const row of order) {
      bench.say(`${measure} ${round + 1}/${rounds} ${row.title}`);
      try {
        await one(row, round);
      } catch (error) {
        failed.add(row.id);
        const reason = `failed: ${error instanceof Error ? error.message : String(error)}`;
        bench.say(`── ${measure}, ${row.title}: ${reason}`);
        samples.dash(measure, row.id, reason);
      }
    }
  }
}

/** Turns the order: A B C, C B A, B C A, A C B … So each peer comes at each place, and after different ones. */
export function rotated<Item>(items: readonly Item[], round: number): readonly Item[] {
  const by = Math.floor(round / 2) % Math.max(1, items.length);
  const turned = [...items.slice(by), ...items.slice(0, by)];
  return round % 2 === 0 ? turned : turned.reverse();
}
