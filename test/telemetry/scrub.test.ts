import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { scrub, textWithoutSecrets, withoutSecrets } from '../../src/telemetry/scrub.ts';

describe('scrubbing', () => {
  test.each([
    'authorization',
    'Proxy-Authorization',
    'api_key',
    'x-api-key',
    'apiKey',
    'clientSecret',
    'password',
    'connectionString',
    'APPLICATIONINSIGHTS_CONNECTION_STRING',
    'token',
    'access_token',
    'set-cookie',
    'privateKey',
  ])('hides the value of a field named %s', (name) => {
    expect(scrub({ outer: { [name]: 'canary' } })).toEqual({ outer: { [name]: '[redacted]' } });
  });

  test.each(['tokens_input', 'key', 'session_id', 'author', 'total_tokens'])('leaves a field named %s', (name) => {
    expect(scrub({ [name]: 7 })).toEqual({ [name]: 7 });
  });

  test.each([
    ['Bearer abc.def-123456', '[redacted]'],
    ['postgres://aos:hunter2@db/x', 'postgres://aos:[redacted]@db/x'],
    ['InstrumentationKey=0f0f;IngestionEndpoint=https://x', '[redacted];IngestionEndpoint=https://x'],
    ['key sk-abcdefghijklmnop1234 was refused', 'key [redacted] was refused'],
    ['pushed with ghp_16C7e42F292c6912E7710c838347Ae178B4a', 'pushed with [redacted]'],
    ['jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl end', 'jwt [redacted] end'],
    ['key AKIAIOSFODNN7EXAMPLE', 'key [redacted]'],
    ['-----BEGIN PRIVATE KEY-----\nMIIE\n-----END', '-----BEGIN PRIVATE KEY-----[redacted]-----END'],
    ['no answer for jo.doe+x@mail.example.com', 'no answer for [EMAIL]'],
    ['charged 4111 1111 1111 1111 twice', 'charged [CARD] twice'],
    ['charged 4111111111111112', 'charged 4111111111111112'],
    ['to DE89 3704 0044 0532 0130 00', 'to [ACCOUNT]'],
    ['ssn 536-22-8726', 'ssn [SSN]'],
    ['called +49 171 1234567 and +1 (415) 555-2671', 'called [PHONE] and [PHONE]'],
    [
      'run 3f2504e0-4f89-11d3-9a0c-0305e82c3301 at 1764538540123',
      'run 3f2504e0-4f89-11d3-9a0c-0305e82c3301 at 1764538540123',
    ],
    ['2026-11-30T21:35:40.123+01:00 port 54321 v1.2.3+45', '2026-11-30T21:35:40.123+01:00 port 54321 v1.2.3+45'],
    ['nothing to hide', 'nothing to hide'],
  ])('turns the text %j into %j', (text, clean) => {
    expect(scrub({ text, list: [text], error: new Error(text) })).toMatchObject({
      text: clean,
      list: [clean],
      error: { message: clean },
    });
  });

  test('leaves no trace of a secret, however deep it lies', () => {
    fc.assert(
      fc.property(
        fc.object({ maxDepth: 4 }),
        fc.constantFrom('password', 'apiKey', 'authorization'),
        (around, name) => {
          const hidden = { ...around, deep: { deeper: [{ [name]: 'canary-81f3' }] } };
          expect(
            JSON.stringify(scrub(hidden), (_key, value) => (typeof value === 'bigint' ? `${value}` : value)),
          ).not.toContain('canary-81f3');
        },
      ),
    );
  });

  test('ends on an object that contains itself', () => {
    const loop: Record<string, unknown> = {};
    loop['loop'] = loop;
    expect(JSON.stringify(scrub(loop))).toContain('[too deep]');
  });
});

describe('JSON of somebody else', () => {
  test('keeps its shape and loses its secrets, by name and by look', () => {
    const given = {
      user: 'ann',
      password: 'hunter2',
      list: [{ api_key: 'k', n: 1 }, 'Bearer abcdefghijkl'],
      none: null,
    };
    const clean = {
      user: 'ann',
      password: '[redacted]',
      list: [{ api_key: '[redacted]', n: 1 }, '[redacted]'],
      none: null,
    };
    expect(withoutSecrets(given)).toEqual(clean);
    expect(JSON.parse(textWithoutSecrets(JSON.stringify(given)))).toEqual(clean);
    expect(textWithoutSecrets('{ "not": json, Bearer abcdefghijkl')).toBe('{ "not": json, [redacted]');
  });

  test('without secrets stays as it is, however deep', () => {
    const harmless = fc
      .jsonValue({ maxDepth: 12 })
      .filter((value) => JSON.stringify(value) === JSON.stringify(JSON.parse(JSON.stringify(value))));
    fc.assert(
      fc.property(harmless, (value) => {
        const inside = { around: [{ deep: value }] } as JsonObject;
        const clean = withoutSecrets(inside);
        if (!/redacted/.test(JSON.stringify(clean))) expect(clean).toEqual(inside);
      }),
    );
  });
});
