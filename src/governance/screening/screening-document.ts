/** What a tenant wants done with personal data, as a document: how it is written, and what it means. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson, type JsonObject, type JsonValue } from '../../core/json.ts';
import { checkSchema } from '../../core/schema-check.ts';
import { personalDataTypes } from './personal-data.ts';
import { defaultPolicy, isStricter, screeningActions, type TenantScreening } from './policy.ts';

const action = z.preprocess(
  (value) => (typeof value === 'string' ? value.toUpperCase() : value),
  z.enum(screeningActions),
);

const regionNames = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });

/** Codes that name no region are a slip: numbers from the one that was meant would go unseen. */
function isRegion(code: string): boolean {
  if (!/^[A-Za-z]{2}$/.test(code)) return false;
  return !/^(?:Unknown|Pseudo|$)/.test(regionNames.of(code.toUpperCase()) ?? '');
}

/** A country as ISO 3166 has it; the United Kingdom also as everybody calls it. */
export const regionCode = z
  .string()
  .refine(isRegion, {
    error: ({ input }) =>
      `expected a country as ISO 3166 has it, two letters, e.g. "DE", got ${JSON.stringify(String(input).slice(0, 20))}`,
  })
  .transform((code) => code.toUpperCase().replace(/^UK$/, 'GB'));

const documentSchema = z
  .strictObject({
    version: z.literal(1).default(1),
    /** What is done where nobody asks for something else. */
    action: action.default(defaultPolicy.action),
    /** The least that a single call may ask for; the action itself when left out. */
    floor: action.optional(),
    /** What is looked for; everything when left out. */
    types: z.array(z.enum(personalDataTypes)).min(1).optional(),
    /** Findings less sure than this do not count. */
    threshold: z.number().min(0).max(1).default(defaultPolicy.threshold),
    /** Values that are nobody's secret; `@example.com` is every address of that domain. */
    allowed: z.array(z.string().min(2).max(320)).max(1000).default([]),
    /** Where telephone numbers without a country code are from, the likeliest first. */
    regions: z.array(regionCode).max(10).default([]),
  })
  .refine(({ action: wanted, floor }) => floor === undefined || !isStricter(floor, wanted), {
    error: 'its floor is stricter than its action: what is done at least cannot be more than what is done',
    path: ['floor'],
  });

export interface ScreeningRules extends TenantScreening {
  /** SHA-256 of the document. */
  readonly hash: string;
  readonly document: JsonObject;
}

/**
 * A document as what holds for a tenant.
 * @param given JSON of unknown form
 * @throws AosError invalid_request with every fault
 */
export function readScreening(given: JsonValue, what = 'the screening document'): ScreeningRules {
  const {
    action: wanted,
    floor = wanted,
    types = personalDataTypes,
    ...rest
  } = checkSchema(documentSchema, given, what);
  const { threshold, allowed, regions } = rest;
  return rulesOf({ policy: { action: wanted, types, threshold, allowed, regions }, floor });
}

export function rulesOf({ policy, floor }: TenantScreening): ScreeningRules {
  const { action: wanted, types, threshold, allowed, regions } = policy;
  const document: JsonObject = {
    version: 1,
    action: wanted,
    floor,
    types: [...types],
    threshold,
    allowed: [...allowed],
    regions: [...regions],
  };
  const hash = createHash('sha256').update(canonicalJson(document)).digest('hex');
  return { policy, floor, document, hash };
}
