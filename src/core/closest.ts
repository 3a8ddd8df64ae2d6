/**
 * The nearest word: what a message offers when a name was probably mistyped.
 */

/**
 * The word of `words` closest to `given` when it is close enough to be a slip, put into `sentence` at `%s`; else ''.
 */
export function closest(given: string, words: readonly string[], sentence: string): string {
  // Longer than any word of ours: not a slip, and comparing it would cost.
  if (given.length > 100) return '';
  const wanted = given.toLowerCase();
  let best: string | undefined;
  // A slip changes up to a third of the word; more is another word.
  let bestDistance = Math.floor(Math.max(wanted.length, 3) / 3) + 1;
  for (const word of words) {
    const distance = editDistance(wanted, word.toLowerCase());
    if (distance < bestDistance) {
      best = word;
      bestDistance = distance;
    }
  }
  return best === undefined ? '' : sentence.replace('%s', () => best);
}

/** How many insertions, deletions, substitutions and swaps of neighbours turn `from` into `to`. */
function editDistance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  const at = (i: number, j: number) => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= to.length; j++) {
      const substituted = at(i - 1, j - 1) + (from[i - 1] === to[j - 1] ? 0 : 1);
      const swapped = from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1] ? at(i - 2, j - 2) + 1 : substituted;
      row.push(Math.min(substituted, swapped, at(i - 1, j) + 1, at(i, j - 1) + 1));
    }
  }
  return at(from.length, to.length);
}
