/**
 * Every identifier of the system is made or judged here; no other file draws random ids.
 */
import { randomBytes, randomUUID } from 'node:crypto';

const PROTOCOL_ID = /^[A-Za-z0-9\-_.:]{1,256}$/;

/** A new UUID v4, lower case with hyphens. */
export function newUuid(): string {
  return randomUUID();
}

/** A new UUID v4 as 32 hex digits without hyphens (the form `x-request-id` uses). */
export function newHexUuid(): string {
  const uuid = randomUUID();
  return uuid.slice(0, 8) + uuid.slice(9, 13) + uuid.slice(14, 18) + uuid.slice(19, 23) + uuid.slice(24);
}

/** A random lower-case hex string of `bytes` bytes, never all zeros (W3C trace and span ids). */
export function newHexId(bytes: number): string {
  const id = randomBytes(bytes).toString('hex');
  return /[^0]/.test(id) ? id : newHexId(bytes);
}

/** Whether `value` may be an invocation or session id: 1–256 of `A-Z a-z 0-9 - _ . :` (protocol §8). */
export function isProtocolId(value: string | undefined): value is string {
  return value !== undefined && PROTOCOL_ID.test(value);
}
