/**
 * The nearest word: what a message offers when a name was probably mistyped.
 */

/**
 * The word of `words` closest to `given` when it is close enough to be a slip, put into `sentence` at `%s`; else ''.
 */
export function closest(given: string, words: readonly string[], sentence: string): string {
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

/** Levenshtein distance: insertions, deletions and substitutions that turn `from` into `to`. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitute = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
