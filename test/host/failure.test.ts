import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AosError } from '../../src/core/errors.ts';
import { isSafeHeaderText } from '../../src/host/call-identity.ts';
import { answerFailure, errorDetail, NotImplementedError, platformError } from '../../src/host/failure.ts';

const INTERNAL = '{"error":{"code":"internal_error","message":"Internal server error"}}';

describe('what a handler throws becomes', () => {
  test('500 without the exception’s text', async () => {
    const { response } = answerFailure(new Error('secret'), true);
    expect(response.status).toBe(500);
    expect(response.headers.get('x-platform-error-source')).toBe('upstream');
    expect(await response.text()).toBe(INTERNAL);
  });

  test('501 with its message when it is not implemented, on POST only', async () => {
    const { response } = answerFailure(new NotImplementedError('later'), true);
    expect(response.status).toBe(501);
    expect(await response.text()).toBe('{"error":{"code":"not_implemented","message":"later"}}');
    expect(answerFailure(new NotImplementedError('later'), false).response.status).toBe(500);
  });

  test('500 with the detail when it is tagged as the platform’s', async () => {
    const { response } = answerFailure(platformError(new TypeError('disk')), true);
    expect(response.headers.get('x-platform-error-source')).toBe('platform');
    expect(response.headers.get('x-platform-error-detail')).toBe('TypeError: disk');
    expect(await response.text()).toBe(INTERNAL);
  });

  test('its own status and message when it is from the catalogue', async () => {
    const details = [{ code: 'bad', message: 'no' }];
    const { response } = answerFailure(new AosError('conflict', 'taken', { details }), true);
    expect(response.status).toBe(409);
    expect(response.headers.get('x-platform-error-source')).toBe('user');
    expect(JSON.parse(await response.text())).toEqual({ error: { code: 'conflict', message: 'taken', details } });
  });
});

describe('the detail header', () => {
  test('replaces what no header may hold', () => {
    expect(errorDetail(new Error('a\r\nb\u0000c\t世d😀é'))).toBe('Error: a  b c ?d?é');
  });

  test('is cut to 2048 characters after the replacement, and says so', () => {
    expect(errorDetail(new Error('x'.repeat(2041)))).toHaveLength(2048);
    expect(errorDetail(new Error('x'.repeat(2041)))).not.toContain('[truncated]');
    const cut = errorDetail(new Error('😀'.repeat(3000)));
    expect(cut).toHaveLength(2048);
    expect(cut.endsWith('?...[truncated]')).toBe(true);
  });

  test('is always safe and never too long', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), (message) => {
        const detail = errorDetail(new Error(message));
        expect(isSafeHeaderText(detail)).toBe(true);
        expect(detail.length).toBeLessThanOrEqual(2048);
      }),
    );
  });
});
