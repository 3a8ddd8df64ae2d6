/**
 * Measurements of client programs: kept as they are reported, given back as a series.
 */
import { z } from 'zod';
import { type Clock, isoTime } from '../core/clock.ts';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import { askedTime, givenName, time } from './field.ts';
import { type Operation, realize, specify } from './operation.ts';

const MAX_POINTS = 10_000;
const tags = z.record(z.string(), z.string());

export const recordMetric = specify({
  name: 'metrics.record',
  summary: 'Report a measurement',
  input: z.object({ name: givenName, value: z.number(), tags: tags.default({}) }),
  output: z.object({ name: z.string(), value: z.number(), tags, timestamp: time }),
  rest: { method: 'POST', path: '/api/metrics', status: 201, family: 'flat' },
  example: { input: { name: 'orders', value: 12, tags: { region: 'eu' } } },
});

export const getMetric = specify({
  name: 'metrics.get',
  summary: 'The measurements of one name, oldest first',
  input: z.object({ name: givenName, start: askedTime.optional(), end: askedTime.optional() }),
  output: z.object({
    name: z.string(),
    data_points: z.array(z.object({ timestamp: time, value: z.number(), tags })),
    start: time.nullable(),
    end: time.nullable(),
  }),
  rest: { method: 'GET', path: '/api/metrics', status: 200, family: 'flat' },
  example: { output: { name: 'orders', data_points: [], start: null, end: null } },
});

export const metricSpecs = [recordMetric, getMetric];

export function createMetricOperations({
  tenant,
  clock,
}: {
  tenant: TenantScopes;
  clock: Clock;
}): readonly Operation[] {
  return [
    realize(recordMetric, async ({ name, value, tags: named }, { caller }) => {
      const now = clock.now();
      await tenant(caller.tenantId)
        .insertInto('metric_points')
        .values({ tenant_id: caller.tenantId, name, at: new Date(now), value, tags: JSON.stringify(named) })
        .execute();
      return { name, value, tags: named, timestamp: isoTime(now) };
    }),
    realize(getMetric, async ({ name, start, end }, { caller }) => {
      const rows = await tenant(caller.tenantId)
        .selectFrom('metric_points')
        .select(['at', 'value', 'tags'])
        .where('tenant_id', '=', caller.tenantId)
        .where('name', '=', name)
        .$if(start !== undefined, (query) => query.where('at', '>=', new Date(start ?? 0)))
        .$if(end !== undefined, (query) => query.where('at', '<=', new Date(end ?? 0)))
        .orderBy('at', 'desc')
        .limit(MAX_POINTS)
        .execute();
      const points = rows.toReversed().map(({ at, value, tags: named }) => ({
        timestamp: at.toISOString(),
        value,
        tags: named as Record<string, string>,
      }));
      const asked = (at: number | undefined) => (at === undefined ? null : isoTime(at));
      return { name, data_points: points, start: asked(start), end: asked(end) };
    }),
  ];
}
