/** A row: a measurement with a name, which `npm run bench -- NAME` runs. Used by all files of bench/rows/ and bench/run.ts. */
import type { Bench } from '../bench';
import type { Chart, Figure } from '../figures';

export interface Result {
  readonly figures: readonly Figure[];
  readonly charts?: readonly Chart[];
  /** What this machine could not measure, and why. */
  readonly notes?: readonly string[];
}

export interface Row {
  readonly name: string;
  readonly about: string;
  run(bench: Bench): Promise<Result>;
}
