/** The limits of a tenant: how often it may ask, and how much it may have at a time. */
import { z } from 'zod';
import type { JsonObject } from '../core/json.ts';
import type { LimitBook } from '../governance/limits/limit-book.ts';
import { defaultLimits, type Limits, limitSchema } from '../governance/limits/limit-document.ts';
import { type Operation, realize, specify } from './operation.ts';

const PATH = '/api/v1/governance/limits';
const answer = z.object({
  ...limitSchema.shape,
  hash: z.string().meta({ description: 'SHA-256 of the limits, hex' }),
  rate_limited: z.boolean().meta({ description: 'Whether this server refuses requests that come too often' }),
});
const example = {
  rates: { get: { per_minute: 300, burst: 60 }, other: { per_minute: 100, burst: 30 } },
  quotas: { concurrent_runs: 20, concurrent_tasks: 10, queued_tasks: 1000, runs_per_day: 5000, websockets: 50 },
};
const hash = defaultLimits.hash;

const getLimits = specify({
  name: 'governance.limits',
  summary: 'How often, and how much at a time, the tenant may ask',
  input: z.object({}),
  output: answer,
  rest: { method: 'GET', path: PATH, status: 200, family: 'detail' },
  example: { output: { ...example, hash, rate_limited: true } },
});

const putLimits = specify({
  name: 'governance.limits.set',
  governs: { kind: 'admin', type: 'limits_change' },
  summary: 'Set how often, and how much at a time, the tenant may ask',
  access: 'admin',
  description:
    'The whole of it: what is left out is as where nobody has set anything. Holds in all containers at once.',
  input: limitSchema,
  output: answer,
  rest: { method: 'PUT', path: PATH, status: 200, family: 'detail' },
  example: { input: example, output: { ...example, hash, rate_limited: true } },
});

export const limitSpecs = [getLimits, putLimits];

export interface LimitOperationParts {
  readonly limits: Pick<LimitBook, 'of' | 'replace'>;
  /** What refuses requests; undefined when nothing does. */
  readonly rates: object | undefined;
}

export function createLimitOperations({ limits, rates }: LimitOperationParts): readonly Operation[] {
  const show = ({ document, hash: of }: Limits) => ({ ...document, hash: of, rate_limited: rates !== undefined });
  return [
    realize(getLimits, async (_input, { caller }) => show(limits.of(caller.tenantId))),
    realize(putLimits, async (document, { caller: { tenantId, userId } }) => {
      const by = userId === '' ? 'system' : `user:${userId}`;
      return show(await limits.replace(tenantId, document as unknown as JsonObject, by));
    }),
  ];
}
