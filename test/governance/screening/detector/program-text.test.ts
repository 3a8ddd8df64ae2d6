import { describe, expect, it } from 'vitest';
import { isExpression, isWritten } from '../../../../src/governance/screening/detector/program-text.ts';

describe('an unquoted value', () => {
  it.each([
    ['options.password', ';'],
    ['this.apiKey', ','],
    ['settings?.apiKey', ';'],
    ['node->secret', ';'],
    ['Store::password', ';'],
    ['secretReference', ','],
    ['password_mgr', ''],
    ['PasswordHash', ';'],
    ['tokens[0', ']'],
    ['pw[:-1', ']'],
    ['crypto.base64Decode(value', ')'],
    ['Secret<string', '>'],
  ])('such as %j is of a program', (value, next) => {
    expect(isExpression(value, next)).toBe(true);
  });

  it.each([
    ['hunter2', ''],
    ['letmein', ''],
    ['CorrectHorse', ''],
    ['MyPassword', ''],
    ['Abc(123', ''],
    ['Tr0ub4dor&3', ''],
    ['Bunny-77-hop', ''],
    ['4f9.2kd.ab3', ''],
    ['xK92mmQz.p0Lq7Rt', ''],
  ])('such as %j may be a secret', (value, next) => {
    expect(isExpression(value, next)).toBe(false);
  });
});

describe('letters', () => {
  it.each(['base64Decode', 'OAuth2Client', 'LanguageModelV2Options', 'standard_b64encode'])(
    'of %j are words',
    (value) => {
      expect(isWritten(value)).toBe(true);
    },
  );

  it.each(['wJalrXUtnFEMIK7MDENGbPxRfiCYzq8TfL2Kx9Q', '7f3c9b1e5d8a4260b9c1e7f3a5d80246', 'aB3dE5gH7jK9mN1p'])(
    'of %j are chance',
    (value) => {
      expect(isWritten(value)).toBe(false);
    },
  );
});
