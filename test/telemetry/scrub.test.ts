import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scrub } from '../../src/telemetry/scrub.ts';

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
