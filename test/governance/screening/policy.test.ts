import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultPolicy, isStricter, policyFor, screeningActions } from '../../../src/governance/screening/policy.ts';

const action = fc.constantFrom(...screeningActions);

describe('the policy of a call', () => {
  it("is the tenant's when it asks for nothing", () => {
    const policy = { ...defaultPolicy, action: 'REDACT' as const };
    expect(policyFor({ policy, floor: 'WARN' })).toEqual(policy);
  });

  it('is what it asks for, from the floor up', () => {
    fc.assert(
      fc.property(action, action, action, (own, floor, asked) => {
        const { action: applied } = policyFor({ policy: { ...defaultPolicy, action: own }, floor }, { action: asked });
        expect(isStricter(floor, applied)).toBe(false);
        expect(applied).toBe(isStricter(floor, asked) ? floor : asked);
      }),
    );
  });

  it('looks for telephone numbers of its region first', () => {
    const policy = { ...defaultPolicy, regions: ['DE'] };
    expect(policyFor({ policy, floor: 'ALLOW' }, { region: 'gb' }).regions).toEqual(['GB', 'DE']);
  });
});
