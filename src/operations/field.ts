/**
 * Fields that many operations take, so that the same thing has the same bounds and the same words everywhere.
 */
import { z } from 'zod';
import { AGENT_ID } from '../agents/agent.ts';

/** Ids of runs, tasks, jobs and sessions. */
export const protocolId = z
  .string()
  .regex(/^[A-Za-z0-9\-_.:]{1,256}$/, { error: 'must be 1 to 256 of the characters A-Z a-z 0-9 - _ . :' });

export const agentId = z.string().regex(AGENT_ID, { error: 'must be 1 to 128 of the characters A-Z a-z 0-9 . _ : -' });

/** A name people give: one line, no control characters. */
export const givenName = z.string().regex(/^[^\p{Cc}]{1,200}$/u, { error: 'must be 1 to 200 characters on one line' });

/** Why somebody wants something ended. Control characters say nothing in it, and the store takes no U+0000. */
export const reason = z
  .string()
  .max(500)
  .transform((text) =>
    text
      .replace(/[\p{Cc}\s]+/gu, ' ')
      .trim()
      .toWellFormed(),
  )
  .nullish()
  .meta({ description: 'Why; kept in the log' });

/** Where something is sent: without a name and a password, which would be kept and shown with it. */
export const callbackAddress = z
  .url({ protocol: /^https?$/, error: 'must be an http(s) address' })
  .max(2000)
  .refine((text) => !/^https?:\/\/[^/?#]*@/i.test(text), {
    error: 'must not have a name or a password in it: what is sent is signed, which the receiver can check',
  });

export const freeForm = z.record(z.string(), z.unknown());

/** An answer's time: ISO-8601 UTC with milliseconds. */
export const time = z.string().meta({ format: 'date-time' });

/** A time as it may be asked: offsets are taken, a time without one is UTC. */
export const askedTime = z
  .string()
  .transform((text, issues) => {
    const at = Date.parse(/(?:[zZ]|[+-]\d\d:?\d\d)$/.test(text) || !text.includes('T') ? text : `${text}Z`);
    if (/^\d{4}-\d\d-\d\d/.test(text) && Number.isFinite(at)) return at;
    issues.addIssue({ code: 'custom', message: 'must be a time such as 2026-02-01T10:00:00Z' });
    return z.NEVER;
  })
  .meta({ description: 'ISO-8601; UTC when it names no offset' });

export const pageSize = z.coerce.number().int().min(1).max(500).default(50);

/** A number of an event, as a query parameter. */
export const eventNumber = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0);

export const cursor = z.string().max(500).optional().meta({ description: 'next_cursor of the page before' });

export const nextCursor = z
  .string()
  .nullable()
  .meta({ description: 'Ask again with ?cursor= for more; null: no more' });

/** A switch as a query parameter. */
export const flag = z
  .union([z.boolean(), z.enum(['true', 'false', '1', '0'])])
  .transform((value) => value === true || value === 'true' || value === '1')
  .default(false);
