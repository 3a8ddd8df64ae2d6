import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultPolicy, type ScreeningPolicy } from '../../../src/governance/screening/policy.ts';
import { createTextScreen } from '../../../src/governance/screening/text-screen.ts';
import { readCorpus, rules } from './corpus.ts';

const texts = ['./development-corpus.jsonl', './corpus.jsonl', './field-corpus.jsonl', './foreign-corpus.jsonl']
  .flatMap(readCorpus)
  .map(({ text }) => text);

function screened(pieces: readonly string[], policy: ScreeningPolicy = defaultPolicy) {
  const screen = createTextScreen(rules, policy);
  const out = pieces.map((piece) => screen.push(piece));
  return { text: out.join('') + screen.finish(), matches: screen.matches };
}

describe('a text', () => {
  it('goes out with tokens in place of values', () => {
    expect(screened(['mail jo@example.com or call +1 415-555-2671 now']).text).toBe('mail [EMAIL] or call [PHONE] now');
  });

  it('is reported in the units of the original, whatever it was written with', () => {
    const text = '😀 ｊｏ\u200bｅ＠example.com 😀';
    const { text: out, matches } = screened([text]);
    expect(out).toBe('😀 [EMAIL] 😀');
    expect(matches).toEqual([{ type: 'email', start: 3, end: 19, confidence: 0.96 }]);
    expect(text.slice(3, 19)).toBe('ｊｏ\u200bｅ＠example.com');
  });

  it('leaves no character of a value uncovered where two findings overlap', () => {
    const { text } = screened(['DATABASE_URL=postgres://svc:Pa55w0rd@10.1.2.3:5432/app?user=jo@example.com']);
    expect(text).toBe('DATABASE_URL=[PASSWORD]');
  });

  it('of any length hides all of a long secret', () => {
    const token = `eyJhbGciOiJIUzI1NiJ9.${'Ab3_'.repeat(5000)}.${'x'.repeat(400)}`;
    const pieces = piecesOf(`token ${token} end`, [17]);
    expect(screened(pieces).text).toBe('token [API_KEY] end');
  });

  it('passes values that are allowed, and types that are not looked for', () => {
    const policy: ScreeningPolicy = {
      ...defaultPolicy,
      types: ['email', 'phone'],
      allowed: ['@our.example', 'help@example.com'],
    };
    const text = 'help@example.com, jo@our.example, ann@example.com, 10.1.2.3';
    expect(screened([text], policy).text).toBe('help@example.com, jo@our.example, [EMAIL], 10.1.2.3');
  });

  it('comes out unchanged when nothing is found', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 20 })), (pieces) => {
        const { text, matches } = screened(pieces);
        if (matches.length === 0) expect(text).toBe(pieces.join(''));
      }),
      { numRuns: 50 },
    );
  });
});

describe('a text in pieces', () => {
  it('comes out as if it were whole, cut anywhere', () => {
    const sample = texts.filter((_, index) => index % 3 === 0);
    for (const text of sample) {
      const whole = screened([text]);
      for (let cut = 1; cut < text.length; cut++) {
        expect(screened([text.slice(0, cut), text.slice(cut)]), `${text} cut at ${cut}`).toEqual(whole);
      }
    }
  });

  it('comes out as if it were whole where a text in quotation marks holds a secret', () => {
    const text = '{"😀":"😀 pwd=Tr0ub4dor&3","note":"my password is hunter2!X", "b":"secret: hunter2!Xabc"} end';
    const whole = screened([text]);
    expect(whole.text).toBe(
      '{"😀":"😀 pwd=[PASSWORD]","note":"my password is [PASSWORD]", "b":"secret: [API_KEY]"} end',
    );
    for (let cut = 1; cut < text.length; cut++) {
      expect(screened([text.slice(0, cut), text.slice(cut)]), `cut at ${cut}`).toEqual(whole);
    }
    expect(screened(text.split(''))).toEqual(whole);
  });

  it('comes out as if it were whole, one unit at a time', () => {
    for (const text of texts) expect(screened(text.split('')), text).toEqual(screened([text]));
  });

  it('comes out as if it were whole, any texts after each other, in any pieces', () => {
    const joint = fc.constantFrom('', ' ', '\n', ', ', '-', '.', '@', '"', ':', '=', '\u200b', '😀', '\ud83d', ' is ');
    const part = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...texts) },
      { weight: 2, arbitrary: fc.constantFrom(...texts.flatMap((text) => text.split(' '))) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
    );
    const long = fc
      .array(fc.tuple(part, joint), { minLength: 1, maxLength: 8 })
      .map((parts) => parts.map(([text, between]) => text + between).join(''));
    fc.assert(
      fc.property(long, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 12 }), (text, lengths) => {
        expect(screened(piecesOf(text, lengths))).toEqual(screened([text]));
      }),
      { numRuns: 400 },
    );
  });

  it('never lets out more than it would of the whole', () => {
    for (const text of texts) {
      const whole = screened([text]).text;
      const screen = createTextScreen(rules, defaultPolicy);
      let out = '';
      for (const unit of text) {
        out += screen.push(unit);
        expect(whole.startsWith(out), text).toBe(true);
      }
    }
  });

  it('is held back no further than a value may reach', () => {
    const screen = createTextScreen(rules, defaultPolicy);
    const text = 'Anna A1 12 Main 4111 +1 "a@a password=x is Via eyJ -----BEGIN '.repeat(200);
    let gone = 0;
    for (const [came, unit] of text.split('').entries()) {
      gone += screen.push(unit).length;
      const replaced = screen.matches.reduce((sum, { start, end }) => sum + end - start, 0);
      expect(came + 1 - gone - replaced).toBeLessThan(1200);
    }
  });
});

function piecesOf(text: string, lengths: readonly number[]): readonly string[] {
  const pieces: string[] = [];
  for (let at = 0, turn = 0; at < text.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 1;
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}
