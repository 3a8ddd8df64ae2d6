/**
 * What happens when a text holds personal data, and that nobody asks for less than a tenant wants at least. Pure.
 */
import { type PersonalDataType, personalDataTypes } from './personal-data.ts';

/** From lenient to strict: pass unread, pass and say so, pass with tokens in place of values, do not pass. */
export const screeningActions = ['ALLOW', 'WARN', 'REDACT', 'BLOCK'] as const;
export type ScreeningAction = (typeof screeningActions)[number];

export interface ScreeningPolicy {
  readonly action: ScreeningAction;
  /** What is looked for. */
  readonly types: readonly PersonalDataType[];
  /** Findings less sure than this do not count; from 0 to 1. */
  readonly threshold: number;
  /** Values that are nobody's secret, such as the address of the support; `@example.com` is all addresses of that domain. */
  readonly allowed: readonly string[];
  /** ISO 3166 codes of where telephone numbers without a country code are from. */
  readonly regions: readonly string[];
}

export const defaultPolicy: ScreeningPolicy = {
  action: 'WARN',
  types: personalDataTypes,
  threshold: 0.7,
  allowed: [],
  regions: [],
};

/** What a tenant wants: how its texts are screened, and the least that a single call may ask for. */
export interface TenantScreening {
  readonly policy: ScreeningPolicy;
  readonly floor: ScreeningAction;
}

export const noFloor: TenantScreening = { policy: defaultPolicy, floor: 'ALLOW' };

export function isStricter(one: ScreeningAction, other: ScreeningAction): boolean {
  return screeningActions.indexOf(one) > screeningActions.indexOf(other);
}

/**
 * The policy of one call: the tenant's, with the action and region it asks for. Never more lenient than the floor: what
 * asks for less gets the floor.
 */
export function policyFor(
  { policy, floor }: TenantScreening,
  asked: { readonly action?: ScreeningAction | undefined; readonly region?: string | undefined } = {},
): ScreeningPolicy {
  const wanted = asked.action ?? policy.action;
  return {
    ...policy,
    action: isStricter(floor, wanted) ? floor : wanted,
    regions: asked.region === undefined ? policy.regions : [asked.region.toUpperCase(), ...policy.regions],
  };
}
