/** What a tenant may ask of the server: how often, and how much at a time. A document of governance, of the kind `limits`. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson, type JsonObject } from '../../core/json.ts';
import { checkSchema } from '../../core/schema-check.ts';
import type { Rate } from './token-bucket.ts';

const rate = (perMinute: number, burst: number) =>
  z
    .strictObject({
      per_minute: z.int().min(1).max(1_000_000).default(perMinute),
      burst: z.int().min(1).max(1_000_000).default(burst),
    })
    .prefault({});

const quota = (what: string) => z.int().min(0).max(1_000_000_000).nullable().default(null).meta({ description: what });

export const limitSchema = z
  .strictObject({
    rates: z
      .strictObject({
        get: rate(300, 60).meta({ description: 'GET requests to a route, and frames that only look' }),
        other: rate(100, 30).meta({ description: 'Other requests to a route, and frames that ask for something' }),
      })
      .prefault({})
      .meta({ description: 'For each user and route: `per_minute` in the long run, `burst` at once' }),
    quotas: z
      .strictObject({
        concurrent_runs: quota('Runs that have not ended, their sub-runs and the attempts of tasks not counted'),
        concurrent_tasks: quota('Tasks that workers have at a time; more of them wait'),
        queued_tasks: quota('Tasks that wait for a worker'),
        runs_per_day: quota('Runs and tasks submitted in a day (UTC)'),
        websockets: quota('Open WebSocket connections'),
      })
      .prefault({})
      .meta({ description: 'Of the whole tenant, in all containers together; null: as many as there is room for' }),
  })
  .meta({ id: 'Limits', description: 'How often and how much at a time a tenant may ask for' });

export type LimitDocument = z.output<typeof limitSchema>;
export type Quotas = LimitDocument['quotas'];

export interface Limits {
  readonly document: LimitDocument;
  /** SHA-256 of the document, hex. */
  readonly hash: string;
  readonly get: Rate;
  readonly other: Rate;
}

/** @throws AosError invalid_request with every fault */
export function readLimits(given: JsonObject): Limits {
  const document = checkSchema(limitSchema, given, 'the limits');
  const { get, other } = document.rates;
  return {
    document,
    hash: createHash('sha256')
      .update(canonicalJson(document as unknown as JsonObject))
      .digest('hex'),
    get: { perMinute: get.per_minute, burst: get.burst },
    other: { perMinute: other.per_minute, burst: other.burst },
  };
}

/** What holds where a tenant has nothing of its own (domain reference §7.2); quotas there are none. */
export const defaultLimits: Limits = readLimits({});

/** Whether there is a bound on the tasks that a tenant submits. */
export function hasTaskQuotas({ document: { quotas } }: Limits): boolean {
  return quotas.queued_tasks !== null || quotas.runs_per_day !== null;
}
