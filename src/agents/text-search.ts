/**
 * Search by words over a handful of texts: the texts are cut into passages, and the passages that say most of what was
 * asked for, in the rarer words most, come first (Okapi BM25). Pure; made for the documents of one session.
 */

export interface Text {
  readonly id: string;
  readonly title: string;
  readonly content: string;
}

export interface Passage {
  /** Of the text it is from. */
  readonly id: string;
  readonly title: string;
  readonly passage: string;
  /** Only for comparison within one search; greater is better. */
  readonly score: number;
}

/** Longest passage, in characters: a few paragraphs. */
const PASSAGE_LENGTH = 1200;
/** How soon a word that occurs again counts for nothing more, and how much long passages are held back. */
const K1 = 1.2;
const B = 0.75;

/** The best passages, best first; those that share no word with the query are not among them. Titles count as words. */
export function searchTexts(query: string, texts: readonly Text[], limit: number): readonly Passage[] {
  const asked = [...new Set(wordsOf(query))];
  const passages = texts.flatMap((text) =>
    passagesOf(text.content).map((passage) => ({ text, passage, words: wordsOf(`${text.title} ${passage}`) })),
  );
  const meanLength = passages.reduce((sum, { words }) => sum + words.length, 0) / Math.max(1, passages.length);
  const rarity = new Map(
    asked.map((word) => {
      const holding = passages.filter(({ words }) => words.includes(word)).length;
      return [word, Math.log(1 + (passages.length - holding + 0.5) / (holding + 0.5))];
    }),
  );
  return passages
    .map(({ text, passage, words }) => {
      const score = asked.reduce((sum, word) => {
        const often = words.filter((other) => other === word).length;
        const weight = (often * (K1 + 1)) / (often + K1 * (1 - B + (B * words.length) / meanLength));
        return sum + (rarity.get(word) ?? 0) * weight;
      }, 0);
      return { id: text.id, title: text.title, passage, score };
    })
    .filter(({ score }) => score > 0)
    .toSorted((one, other) => other.score - one.score)
    .slice(0, limit);
}

/** Paragraphs, put together to passages as long as allowed; a longer paragraph is cut at a blank where it has one. */
export function passagesOf(content: string): readonly string[] {
  const passages: string[] = [];
  let current = '';
  const close = () => {
    if (current.trim() !== '') passages.push(current.trim());
    current = '';
  };
  for (const paragraph of content.split(/\n\s*\n/).flatMap(pieces)) {
    if (current.length + paragraph.length + 2 > PASSAGE_LENGTH) close();
    current += current === '' ? paragraph : `\n\n${paragraph}`;
  }
  close();
  return passages;
}

function pieces(paragraph: string): string[] {
  const cut: string[] = [];
  let rest = paragraph;
  while (rest.length > PASSAGE_LENGTH) {
    const blank = rest.lastIndexOf(' ', PASSAGE_LENGTH);
    const at = blank > PASSAGE_LENGTH / 2 ? blank : PASSAGE_LENGTH;
    cut.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  return [...cut, rest];
}

/** Words and numbers, without case and accents. */
function wordsOf(text: string): string[] {
  return (
    text
      .normalize('NFKD')
      .replace(/\p{M}/gu, '')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  );
}
