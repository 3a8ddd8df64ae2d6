import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { passagesOf, searchTexts, type Text } from '../../src/agents/text-search.ts';

const text = (id: string, content: string, title = id): Text => ({ id, title, content });
const found = (query: string, texts: readonly Text[], limit = 10) =>
  searchTexts(query, texts, limit).map(({ id }) => id);

describe('a search', () => {
  const texts = [
    text('lease', 'The lease of the office in Berlin ends in March. The rent is 12,000 a month.'),
    text('cash', 'Cash in March was 400,000. The burn is 45,000 a month.'),
    text('menu', 'Soup, bread, and the usual.'),
    text('résumé', 'Zoë worked in Zürich.'),
  ];

  it('finds what shares words with the question, and nothing else', () => {
    expect(found('when does the lease of the office end', texts)[0]).toBe('lease');
    expect(found('burn', texts)).toEqual(['cash']);
    expect(found('helicopter', texts)).toEqual([]);
    expect(found('', texts)).toEqual([]);
    expect(found('burn', [])).toEqual([]);
  });

  it('weighs rare words more than words that all have', () => {
    expect(found('the month burn', texts).slice(0, 2)).toEqual(['cash', 'lease']);
  });

  it('minds neither case nor accents, and reads titles', () => {
    expect(found('ZOE zurich', texts)).toEqual(['résumé']);
    expect(found('resume', texts)).toEqual(['résumé']);
  });

  it('prefers the shorter of two texts that say the same', () => {
    const long = text('long', `churn ${'other words here '.repeat(30)}`);
    expect(found('churn', [long, text('short', 'churn is 3 percent')])).toEqual(['short', 'long']);
  });

  it('gives the passage that fits and not the whole text', () => {
    const chapters = ['alpha', 'beta', 'gamma'].map((word) => `${word} ${'filler words of a chapter '.repeat(40)}`);
    const [best] = searchTexts('beta', [text('book', chapters.join('\n\n'))], 1);
    expect(best?.passage.startsWith('beta')).toBe(true);
    expect(best?.passage).not.toContain('alpha');
  });

  it('gives no more than it was asked for', () => {
    const many = Array.from({ length: 20 }, (_, index) => text(`t${index}`, 'same words'));
    expect(found('words', many, 3)).toHaveLength(3);
  });
});

describe('passages', () => {
  it('are bounded and together say everything', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string({ maxLength: 3000 }), fc.constant('\n\n'))), (parts) => {
        const content = parts.join('');
        const passages = passagesOf(content);
        for (const passage of passages) expect(passage.length).toBeLessThanOrEqual(1202);
        expect(passages.join('').replace(/\s/g, '')).toBe(content.replace(/\s/g, ''));
      }),
    );
  });
});
