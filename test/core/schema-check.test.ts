import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { JsonValue } from '../../src/core/json.ts';
import { checkSchema } from '../../src/core/schema-check.ts';

const schema = z.object({
  status: z.enum(['done', 'failed']).optional(),
  version: z.literal(1).optional(),
  limit: z.coerce.number().int().min(1).max(500).optional(),
  count: z.int().optional(),
  names: z.array(z.string()).min(1).optional(),
  id: z.union([z.string().max(5), z.number()]).optional(),
  pace: z.enum(['slow', 'fast'], 'must be slow or fast').optional(),
});

describe('what is wrong with data', () => {
  it.each<[JsonValue, string]>([
    [{ status: 'finished' }, '"status": expected one of "done", "failed", got "finished"'],
    [{ status: 7 }, '"status": expected one of "done", "failed", got 7'],
    [{ status: ['done'] }, '"status": expected one of "done", "failed", got a list'],
    [{ status: 'x'.repeat(100) }, `"status": expected one of "done", "failed", got "${'x'.repeat(39)}…`],
    [{ version: 2 }, '"version": expected 1, got 2'],
    [{ limit: 'many' }, '"limit": expected a number, got something else'],
    [{ limit: '0' }, '"limit": Too small: expected number to be >=1, got 0'],
    [{ limit: 501 }, '"limit": Too big: expected number to be <=500, got 501'],
    [{ count: 1.5 }, '"count": expected a whole number, got 1.5'],
    [{ count: '1' }, '"count": expected a number, got a text'],
    [{ names: [] }, '"names": Too small: expected array to have >=1 items, got 0'],
    [{ id: {} }, '"id": expected a text or a number, got an object'],
    [{ id: 'abcdefg' }, '"id": Too big: expected string to have <=5 characters, got 7'],
    [{ pace: 'medium' }, '"pace": must be slow or fast'],
  ])('is said with what was expected and what came: %j', (given, message) => {
    expect(() => checkSchema(schema, given, 'the request')).toThrow(`the request cannot be used: ${message}`);
  });

  it('is that something is missing, also where it is one of several', () => {
    const one = z.object({ outcome: z.enum(['done', 'failed']) });
    expect(() => checkSchema(one, {}, 'the request')).toThrow('"outcome" is missing: expected one of "done", "failed"');
    const either = z.object({ input: z.union([z.string(), z.object({})]) });
    expect(() => checkSchema(either, {}, 'the request')).toThrow('"input" is missing: expected a text or an object');
  });

  it('is a field that nobody knows, with those that are known where it stands', () => {
    const nested = z.strictObject({
      quotas: z.strictObject({ concurrent_runs: z.int() }).partial().default({}),
      rates: z.array(z.strictObject({ burst: z.int() })).optional(),
    });
    const said = (given: JsonValue) => () => checkSchema(nested, given, 'the request');
    expect(said({ quota: {} })).toThrow('unknown field "quota", did you mean "quotas"? (known: quotas, rates)');
    expect(said({ quotas: { runs: 1 } })).toThrow('unknown field "quotas.runs" (known: concurrent_runs)');
    expect(said({ rates: [{ burst: 1, x: 2 }] })).toThrow('unknown field "rates[0].x" (known: burst)');
  });
});
