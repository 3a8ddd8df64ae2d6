/**
 * The words of cues, written as alternatives with optional parts (`phones?|cell ?phone|na(?:m|vn)e|d[ea]`), and a tree of
 * them that reads backwards: from the end of a text it tells every word that ends there in one walk, however many there are.
 */

/**
 * All words that a pattern stands for. Known are `|`, `?`, `(?:…)`, `[abc]` and `\` before a sign: only what means a
 * finite number of words.
 *
 * @throws Error for any other sign with a meaning in regular expressions
 */
export function wordsOf(pattern: string): readonly string[] {
  let at = 0;
  const alternatives = (): readonly string[] => {
    const all = new Set<string>();
    for (;;) {
      for (const word of sequence()) all.add(word);
      if (pattern[at] !== '|') return [...all];
      at++;
    }
  };
  const sequence = (): readonly string[] => {
    let words: readonly string[] = [''];
    while (at < pattern.length && pattern[at] !== '|' && pattern[at] !== ')') {
      let next = part();
      if (pattern[at] === '?') {
        next = ['', ...next];
        at++;
      }
      words = words.flatMap((word) => next.map((more) => word + more));
    }
    return words;
  };
  const part = (): readonly string[] => {
    if (pattern.startsWith('(?:', at)) {
      at += 3;
      const words = alternatives();
      at++;
      return words;
    }
    const character = pattern.charAt(at++);
    if (character === '[') {
      const end = pattern.indexOf(']', at);
      const one = [...pattern.slice(at, end)];
      at = end + 1;
      return one;
    }
    if (character === '\\') return [pattern.charAt(at++)];
    if (/[.*+{}()\]^$]/.test(character)) {
      throw new Error(`A cue is made of words with optional parts; "${character}" in "${pattern}" is not understood.`);
    }
    return [character];
  };
  return alternatives();
}

/** A place in the tree: letters read so far, backwards. */
export interface WordNode<T> {
  readonly before: Map<number, WordNode<T>>;
  /** What the words that begin here belong to. */
  readonly owners: T[];
}

export function wordTree<T>(): WordNode<T> {
  return { before: new Map(), owners: [] };
}

export function plant<T>(tree: WordNode<T>, word: string, owner: T): void {
  let node = tree;
  for (let at = word.length - 1; at >= 0; at--) {
    const code = word.charCodeAt(at);
    const next = node.before.get(code) ?? wordTree<T>();
    node.before.set(code, next);
    node = next;
  }
  if (!node.owners.includes(owner)) node.owners.push(owner);
}
