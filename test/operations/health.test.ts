import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createHealth, createHealthOperations, type HealthCheck } from '../../src/operations/health.ts';
import { createRecordStore } from '../../src/operations/record-store.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';

let database: Database;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database?.close());

const caller = { tenantId: 'default', userId: '' };

function healthWith(checks: Record<string, HealthCheck>, failures: string[] = []) {
  return createHealth({
    database,
    records: createRecordStore({ database, clock: systemClock }),
    agents: { visibleTo: () => [] } as never,
    clock: systemClock,
    version: '1',
    runtimeId: 'r',
    checks,
    onFailure: (part) => failures.push(part),
  });
}

const broken: HealthCheck = async () => {
  throw new Error('the password is hunter2');
};

describe('the whole', () => {
  test.each<[string, Record<string, HealthCheck>, string, number | undefined]>([
    ['every part', { a: async () => ({ status: 'healthy' }) }, 'healthy', undefined],
    [
      'one that is worse',
      { a: async () => ({ status: 'degraded' }), b: async () => ({ status: 'healthy' }) },
      'degraded',
      undefined,
    ],
    ['one that cannot be asked', { a: broken, b: async () => ({ status: 'degraded' }) }, 'unhealthy', 503],
  ])('is as well as %s', async (_what, checks, status, answers) => {
    const health = healthWith(checks);
    const seen = await health.ofServer(caller);
    expect(seen).toMatchObject({ status, components: { storage: { status: 'healthy' } } });
    expect(await health.ofRuntime()).toMatchObject({ status });
    for (const { spec } of createHealthOperations({ health })) {
      expect(spec.rest.statusOf?.({ status })).toBe(answers);
    }
  });
});

test('a part that fails is named, and why stays inside', async () => {
  const failures: string[] = [];
  const seen = await healthWith({ queue: broken }, failures).ofServer(caller);
  expect(seen.error).toBe('queue: does not answer');
  expect(JSON.stringify(seen)).not.toContain('hunter2');
  expect(failures).toEqual(['queue']);
});
