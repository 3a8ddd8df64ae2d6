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

/**
 * What passes through an office, written by somebody who had not read the rules: tickets, mails with signatures, rows of
 * tables, logs, forms, source code, in a dozen languages; most hold nothing personal, and look as if they did.
 */
describe('on texts of others, screening', () => {
  const corpus = readCorpus('./foreign-corpus.jsonl');
  const { recall, missed, falsePositives } = measure(corpus);

  it('is measured on many, most of them without personal data', () => {
    expect(corpus.length).toBeGreaterThanOrEqual(1800);
    expect(corpus.filter(({ spans }) => spans.length === 0).length).toBeGreaterThanOrEqual(corpus.length / 2);
  });

  it('finds what has a form', () => {
    expect(recall(structured), missed.join('\n')).toBeGreaterThanOrEqual(0.98);
  });

  it.each(structured)('finds %s', (label) => {
    expect(recall([label]), missed.join('\n')).toBeGreaterThanOrEqual(0.95);
  });

  it('misses of what has a form only what is known', () => {
    const unknown = missed.filter((miss) => !/^(?:PERSON|ADDRESS) /.test(miss) && !isKnown(miss, KNOWN_MISSES));
    expect(unknown).toEqual([]);
  });

  it('finds most names and addresses', () => {
    expect(recall(labels.filter((label) => !structured.includes(label))), missed.join('\n')).toBeGreaterThanOrEqual(
      0.9,
    );
  });

  it('finds nothing where nothing is, but for what is known', () => {
    expect(falsePositives.filter((mistake) => !isKnown(mistake, KNOWN_MISTAKES))).toEqual([]);
  });
});

/** Only the first row of the table says what it is; a part of the value is found; an option of a program. */
const KNOWN_MISSES = [
  'DOB 17.09.1968 in: id;vorname',
  'NATIONAL_ID 4926394162 in: nhs_number,',
  'NATIONAL_ID 4733279442 in: patient_id,',
  'DOB 1949-05-30 in: patient_id,',
  'PHONE 07700 900555 in: patient_id,',
  'SECRET 2009390602:AA',
  'SECRET Xy7!pQ2z in: sshpass -p ',
  'DRIVER_LICENSE 643194368 in: Licence No: ',
];

/** Titles of people are parts of other names as well. */
const KNOWN_MISTAKES = ['name Mr. Robot in: ', 'name Dr. Oetker Pizza in: '];

function isKnown(one: string, known: readonly string[]): boolean {
  return known.some((start) => one.startsWith(start));
}
