/**
 * Finds the name that a misspelled one was probably meant to be.
 *
 * Used by  arguments.ts, main.ts, connect.ts
 */

/** The most similar of `names`, if it is similar enough to be meant; null if none is. */
export function nearest(word: string, names: Iterable<string>): string | null {
  let best: { readonly name: string; readonly distance: number } | null = null;
  for (const name of names) {
    const distance = name.startsWith(word) && word.length > 1 ? 1 : distanceOf(word, name);
    if (distance <= Math.max(1, Math.floor(name.length / 3)) && distance < (best?.distance ?? Infinity)) best = { name, distance };
  }
  return best?.name ?? null;
}

/** How many letters have to be added, removed, replaced, or swapped with the next one. */
function distanceOf(one: string, other: string): number {
  const row = (): number[] => Array.from({ length: other.length + 1 }, () => 0);
  let [before, above, current] = [row(), row().map((_zero, index) => index), row()];
  for (let i = 1; i <= one.length; i++) {
    current[0] = i;
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1];
      let cost = Math.min((above[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      current[j] = cost;
    }
    [before, above, current] = [above, current, before];
  }
  return above[other.length] ?? 0;
}
