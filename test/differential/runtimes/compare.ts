/**
 * npm run conformance -- --compare DIR1,DIR2: are two runs of the matrix equal, but for what is marked flaky?
 *
 * Used by  ../conformance.ts
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { WrongArgument } from '../../support/tool';
import type { Cell } from './judge';
import type { Matrix } from './matrix';

export interface Comparison {
  /** Cells that are in both and compared. */
  readonly cells: number;
  /** Those in which one of the two runs says flaky. */
  readonly flaky: number;
  /** Each difference that neither run has marked, as a line. */
  readonly differences: readonly string[];
}

/** The matrix that a run has left in a directory. @throws WrongArgument */
export function readMatrix(directory: string): Matrix {
  const file = path.join(directory, 'matrix.json');
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Matrix;
  } catch (error) {
    throw new WrongArgument(`${file} is no matrix: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
  }
}

/** Compares two runs column by column, by the name of the runtime and of what measured it. */
export function compareRuns(one: Matrix, other: Matrix): Comparison {
  const nameOf = ({ runtime, measure }: Matrix['columns'][number]): string => `${runtime}, measured by ${measure}`;
  const differences: string[] = [];
  if (one.wire !== other.wire) differences.push('only one of the two was run with --wire');
  const cells = new Map<string, [Cell | undefined, Cell | undefined]>();
  for (const [side, matrix] of [one, other].entries()) {
    for (const { scenario, cells: all } of matrix.rows) {
      for (const [at, column] of matrix.columns.entries()) {
        const name = `${nameOf(column)}, ${scenario}`;
        const pair = cells.get(name) ?? [undefined, undefined];
        pair[side] = all[at];
        cells.set(name, pair);
      }
    }
  }
  let flaky = 0;
  for (const [name, [first, second]] of cells) {
    if (first?.is === 'flaky' || second?.is === 'flaky') flaky++;
    else if (first?.is !== second?.is) differences.push(`${name}: ${first?.is ?? 'not there'}, then ${second?.is ?? 'not there'}`);
  }
  return { cells: cells.size, flaky, differences };
}
