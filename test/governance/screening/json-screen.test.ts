import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../../src/core/json.ts';
import { screenData } from '../../../src/governance/screening/json-screen.ts';
import { defaultPolicy } from '../../../src/governance/screening/policy.ts';
import { rules } from './corpus.ts';

const screen = (data: JsonValue) => screenData(rules, defaultPolicy, data);

describe('data', () => {
  it('is screened at any depth, in lists and in keys', () => {
    const { redacted, matches } = screen({
      user: { emails: ['jo@example.com', 'none'], notes: [{ text: 'card 4111 1111 1111 1111' }] },
      byMail: { 'ann@example.com': { plan: 'gold' } },
    });
    expect(redacted).toEqual({
      user: { emails: ['[EMAIL]', 'none'], notes: [{ text: 'card [CARD]' }] },
      byMail: { '[EMAIL]': { plan: 'gold' } },
    });
    expect(matches.map(({ type, path, start, end, inKey }) => ({ type, path, start, end, inKey }))).toEqual(
      [
        { type: 'email', path: 'byMail["[EMAIL]"]', start: 0, end: 15, inKey: true },
        { type: 'email', path: 'user.emails[0]', start: 0, end: 14, inKey: false },
        { type: 'credit_card', path: 'user.notes[0].text', start: 5, end: 24, inKey: false },
      ].sort((one, other) => (one.inKey === other.inKey ? 0 : one.inKey ? 1 : -1)),
    );
  });

  it('is read with the names of its fields', () => {
    const { redacted } = screen({
      ssn: '536228726',
      order_id: '536228726',
      phone: 4155552671,
      dateOfBirth: '1984-03-12',
      created: '1984-03-12',
      password: 'correct horse battery',
      customer: { name: 'Omar Farouk' },
      service: { name: 'Omar Gateway' },
      passport: { number: 'AB1234567' },
      iban: ['DE89370400440532013000'],
    });
    expect(redacted).toEqual({
      ssn: '[SSN]',
      order_id: '536228726',
      phone: '[PHONE]',
      dateOfBirth: '[DOB]',
      created: '1984-03-12',
      password: '[PASSWORD]',
      customer: { name: '[NAME]' },
      service: { name: 'Omar Gateway' },
      passport: { number: '[PASSPORT]' },
      iban: ['[ACCOUNT]'],
    });
  });

  it('is read for what its texts say themselves, whatever their fields are called', () => {
    const { redacted } = screen({
      note: 'password: hunter2!X',
      secret: 'the password is hunter2!X',
      '😀': '😀 pwd=Tr0ub4dor&3',
      body: '{"message":"secret: hunter2!Xabc"}',
      hint: 'password: required',
    });
    expect(redacted).toEqual({
      note: 'password: [PASSWORD]',
      secret: 'the password is [PASSWORD]',
      '😀': '😀 pwd=[PASSWORD]',
      body: '{"message":"secret: [API_KEY]"}',
      hint: 'password: required',
    });
  });

  it('keeps fields apart whose names become the same', () => {
    const { redacted } = screen({ 'a@example.com': 1, 'b@example.com': 2 });
    expect(redacted).toEqual({ '[EMAIL]': 1, '[EMAIL]_2': 2 });
  });

  it('is the same data when nothing is found', () => {
    const data = { a: [1, null, true, 'x'], b: {} };
    expect(screen(data).redacted).toBe(data);
  });

  it('may be very deep', () => {
    let data: JsonValue = 'jo@example.com';
    for (let depth = 0; depth < 50_000; depth++) data = [data];
    let inner = screen(data).redacted;
    while (Array.isArray(inner)) inner = inner[0] ?? null;
    expect(inner).toBe('[EMAIL]');
  });

  it('may have fields with names that mean something to the language', () => {
    const data = JSON.parse('{"__proto__": {"mail": "jo@example.com"}, "constructor": "jo@example.com"}') as JsonValue;
    expect(JSON.stringify(screen(data).redacted)).toBe('{"__proto__":{"mail":"[EMAIL]"},"constructor":"[EMAIL]"}');
  });
});
