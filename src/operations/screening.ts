/** Screening as something that can be asked: what personal data is in these data, and what a policy makes of them. */
import { z } from 'zod';
import type { JsonValue } from '../core/json.ts';
import type { DataGuard } from '../governance/screening/data-guard.ts';
import { personalDataTypes, riskLevels } from '../governance/screening/personal-data.ts';
import { policyFor, screeningActions } from '../governance/screening/policy.ts';
import { type Screen, showScan } from '../governance/screening/screen.ts';
import type { ScreeningBook } from '../governance/screening/screening-book.ts';
import { regionCode } from '../governance/screening/screening-document.ts';
import { type Operation, type OperationSpec, realize, specify } from './operation.ts';

const Scan = z.object({
  scan_id: z.string(),
  scanned_at: z.string(),
  pii_detected: z.boolean(),
  match_count: z.int(),
  matches: z.array(
    z.object({
      type: z.enum(personalDataTypes),
      path: z.string().describe('Where in the data, as `user.emails[0]`; empty: the data itself.'),
      start: z.int().describe('In UTF-16 units of the text, or of the number as JSON writes it.'),
      end: z.int(),
      confidence: z.number().min(0).max(1),
      in_key: z.boolean().optional().describe('It stands in the name of the field.'),
    }),
  ),
  pii_types_found: z.array(z.enum(personalDataTypes)),
  risk_level: z.enum(riskLevels),
  redaction_applied: z.boolean(),
  redacted_fields: z.array(z.string()),
  policy_applied: z.enum(screeningActions).describe('Never less than what the tenant wants at least.'),
  policy_action_taken: z.enum(['bypassed', 'blocked', 'redacted', 'warned', 'allowed']),
  scan_duration_ms: z.number(),
  error: z.string().nullable(),
  primary_plane_id: z.string().nullable(),
  tenant_id: z.string(),
  redacted_data: z.unknown().optional().describe('With REDACT: the data, tokens in place of values.'),
});

export const screenDataSpec = specify({
  name: 'governance.screen',
  summary: 'Screen data for personal data',
  access: 'read',
  description:
    'Every text, number and key at any depth is screened; nothing is stored, and no value that was found is in the answer.',
  input: z.object({
    data: z
      .unknown()
      .refine((given) => given !== undefined, 'expected any JSON, but there is none')
      .describe('Any JSON.'),
    policy: z
      .preprocess((value) => (typeof value === 'string' ? value.toUpperCase() : value), z.enum(screeningActions))
      .optional()
      .describe("What to do with a find; without it, the tenant's policy."),
    region: regionCode.optional().describe('Where telephone numbers without a country code are from.'),
  }),
  output: Scan,
  rest: { method: 'POST', path: '/api/v1/governance/screen', status: 200, family: 'detail' },
  example: { input: { data: { note: 'write to jo@example.com' }, policy: 'REDACT' } },
});

export const screeningStatisticsSpec = specify({
  name: 'governance.screening-statistics',
  summary: 'How often personal data was looked for and found',
  description: 'Of the tenant, in the process that answers, since it began.',
  input: z.object({}),
  output: z.object({
    total_scans: z.int(),
    pii_detections: z.int(),
    blocks: z.int(),
    redactions: z.int(),
    detection_rate: z.number().nullable().describe('0 to 1; null before the first scan'),
    default_policy: z.enum(screeningActions),
    tenant_id: z.string(),
  }),
  rest: { method: 'GET', path: '/api/v1/governance/screening/statistics', status: 200, family: 'detail' },
  example: {
    output: {
      total_scans: 120,
      pii_detections: 6,
      blocks: 1,
      redactions: 5,
      detection_rate: 0.05,
      default_policy: 'REDACT',
      tenant_id: 'acme',
    },
  },
});

export const screeningSpecs: readonly OperationSpec[] = [screenDataSpec, screeningStatisticsSpec];

export interface ScreeningParts {
  readonly screen: Pick<Screen, 'scan'>;
  readonly screeningBook: Pick<ScreeningBook, 'of'>;
  readonly dataGuard: DataGuard;
}

export function createScreeningOperations({ screen, screeningBook, dataGuard }: ScreeningParts): readonly Operation[] {
  return [
    realize(screeningStatisticsSpec, async (_input, { caller }) => dataGuard.statistics(caller.tenantId)),
    realize(screenDataSpec, async ({ data, policy, region }, { caller }) => {
      const tenant = screeningBook.of(caller.tenantId);
      // Only a body of JSON comes here.
      const result = await screen.scan(data as JsonValue, policyFor(tenant, { action: policy, region }));
      const shown = showScan(result, { tenantId: caller.tenantId }) as z.input<typeof Scan>;
      return result.policy === 'REDACT' && result.data !== undefined ? { ...shown, redacted_data: result.data } : shown;
    }),
  ];
}
