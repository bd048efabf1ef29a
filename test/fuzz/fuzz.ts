/**
 * Plays random cases against one target until one fails, then shrinks it: operations are left out as
 * long as it still fails. A case is plain JSON, made from its seed alone.
 */
export interface Target<Operation> {
  readonly name: string;
  /** How many of 100 cases are for this target. */
  readonly share: number;
  generate(seed: number): Operation[];
  /** Throws if the product does what it must not. */
  play(operations: readonly Operation[]): void;
}

export interface Failure {
  readonly seed: number;
  readonly why: string;
  readonly shrunk: string;
}

/** Plays `count` cases; the first failure, or null. */
export function fuzz<Operation>(target: Target<Operation>, first: number, count: number): Failure | null {
  for (let seed = first; seed < first + count; seed++) {
    const operations = target.generate(seed);
    if (failureOf(target, operations) === null) continue;
    const shortest = shrink(target, operations);
    return { seed, why: String(failureOf(target, shortest)), shrunk: JSON.stringify(shortest) };
  }
  return null;
}

function failureOf<Operation>(target: Target<Operation>, operations: readonly Operation[]): string | null {
  try {
    target.play(operations);
    return null;
  } catch (error) {
    return (error as Error).stack ?? String(error);
  }
}

/** The shortest case that still fails, by leaving out ever smaller parts. */
function shrink<Operation>(target: Target<Operation>, operations: readonly Operation[]): Operation[] {
  let shortest = [...operations];
  for (let size = Math.ceil(shortest.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < shortest.length;) {
      const shorter = [...shortest.slice(0, at), ...shortest.slice(at + size)];
      if (failureOf(target, shorter) !== null) shortest = shorter;
      else at += size;
    }
  }
  return shortest;
}
