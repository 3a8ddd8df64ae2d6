import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import type { JsonValue } from '../../../src/core/json.ts';
import { defaultPolicy, type ScreeningAction } from '../../../src/governance/screening/policy.ts';
import { createScreen, refusalOf, showScan } from '../../../src/governance/screening/screen.ts';

const screen = createScreen({ clock: systemClock, mostCharacters: 10_000 });
const data = { note: 'write to jo@example.com' };

describe('a scan', () => {
  it.each<{ action: ScreeningAction; taken: string; out: JsonValue | undefined; found: number }>([
    { action: 'ALLOW', taken: 'bypassed', out: data, found: 0 },
    { action: 'WARN', taken: 'warned', out: data, found: 1 },
    { action: 'REDACT', taken: 'redacted', out: { note: 'write to [EMAIL]' }, found: 1 },
    { action: 'BLOCK', taken: 'blocked', out: undefined, found: 1 },
  ])('with $action is $taken', async ({ action, taken, out, found }) => {
    const result = await screen.scan(data, { ...defaultPolicy, action });
    expect(result).toMatchObject({ policy: action, taken });
    expect(result.data).toEqual(out);
    expect(result.matches).toHaveLength(found);
  });

  it('allows what holds nothing', async () => {
    expect(await screen.scan({ a: 1 }, { ...defaultPolicy, action: 'BLOCK' })).toMatchObject({
      taken: 'allowed',
      risk: 'none',
      data: { a: 1 },
    });
  });

  it('shows where, what and how bad, and never a value', async () => {
    const secrets = { 'jo@example.com': 'ssn 536-22-8726', key: 'ghp_16C7e42F292c6912E7710c838347Ae178B4a' };
    const result = await screen.scan(secrets, { ...defaultPolicy, action: 'REDACT' });
    const shown = showScan(result, { tenantId: 'acme' });
    expect(shown).toMatchObject({
      pii_detected: true,
      match_count: 3,
      pii_types_found: expect.arrayContaining(['email', 'ssn', 'api_key']),
      risk_level: 'critical',
      redaction_applied: true,
      policy_action_taken: 'redacted',
      error: null,
      tenant_id: 'acme',
    });
    const refusal = refusalOf(shown, result.types);
    for (const text of [
      JSON.stringify(shown),
      JSON.stringify(result),
      refusal.message,
      JSON.stringify(refusal.facts),
    ]) {
      expect(text).not.toMatch(/jo@|536-22|ghp_/);
    }
  });

  it('of too much data blocks where policy is strict, and warns where it is not', async () => {
    const large = 'x'.repeat(20_000);
    expect(await screen.scan(large, { ...defaultPolicy, action: 'REDACT' })).toMatchObject({
      taken: 'blocked',
      data: undefined,
    });
    expect(await screen.scan(large, defaultPolicy)).toMatchObject({ taken: 'warned', data: large });
  });

  it('that fails blocks where policy is strict, without a word of the data', async () => {
    const broken = {
      get secret(): string {
        throw new Error('jo@example.com');
      },
    };
    const result = await screen.scan(broken, { ...defaultPolicy, action: 'BLOCK' });
    expect(result).toMatchObject({ taken: 'blocked', error: expect.not.stringContaining('jo@') });
  });
});

describe('a stream', () => {
  it('is redacted by strict policies and passes others at once', async () => {
    const strict = await screen.stream({ ...defaultPolicy, action: 'BLOCK' });
    expect(strict.push('mail jo@exam') + strict.push('ple.com ') + strict.finish()).toBe('mail [EMAIL] ');
    const lenient = await screen.stream(defaultPolicy);
    expect(lenient.push('mail jo@exam')).toBe('mail jo@exam');
  });
});
