import { describe, expect, it } from 'vitest';
import { labels, measure, readCorpus, structured } from './corpus.ts';

describe.each([
  { file: './development-corpus.jsonl', lines: 219 },
  { file: './corpus.jsonl', lines: 300 },
  // Written without a look at the rules: chats, logs, forms and files of other countries.
  { file: './field-corpus.jsonl', lines: 400 },
])('on $file, screening', ({ file, lines }) => {
  const corpus = readCorpus(file);
  const { recall, missed, falsePositives } = measure(corpus);

  it('finds what has a form', () => {
    expect(corpus.length).toBeGreaterThanOrEqual(lines);
    expect(recall(structured), missed.join('\n')).toBeGreaterThanOrEqual(0.98);
  });

  it.each(structured)('finds %s', (label) => {
    expect(recall([label]), missed.join('\n')).toBeGreaterThanOrEqual(0.95);
  });

  it('finds most names and addresses', () => {
    expect(recall(labels.filter((label) => !structured.includes(label))), missed.join('\n')).toBeGreaterThanOrEqual(
      0.9,
    );
  });

  it('finds nothing where nothing is', () => {
    expect(falsePositives).toEqual([]);
  });
});
