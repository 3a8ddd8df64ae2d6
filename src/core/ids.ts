/**
 * Every identifier of the system is made or judged here; no other file draws random ids.
 */
import { randomBytes, randomFillSync } from 'node:crypto';

const PROTOCOL_ID = /^[A-Za-z0-9\-_.:]{1,256}$/;

/**
 * Random bytes are drawn many at a time, and ids written digit by digit into one buffer: several are drawn for every
 * request, and `randomUUID` leaves more than a dozen pieces of string behind for each.
 */
const pool = Buffer.allocUnsafeSlow(4096);
let drawn = pool.length;
const text = Buffer.alloc(36, '-');
const DIGITS = Buffer.from('0123456789abcdef');

/** The place in the pool of `bytes` random bytes that nobody else gets. */
function draw(bytes: number): number {
  if (drawn + bytes > pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  drawn += bytes;
  return drawn - bytes;
}

/** Draws the 16 bytes of a UUID, version and variant set. */
function drawUuid(): number {
  const at = draw(16);
  pool[at + 6] = ((pool[at + 6] ?? 0) & 0x0f) | 0x40;
  pool[at + 8] = ((pool[at + 8] ?? 0) & 0x3f) | 0x80;
  return at;
}

/** A new UUID v4, lower case with hyphens. */
export function newUuid(): string {
  const at = drawUuid();
  for (let byte = 0, place = 0; byte < 16; byte++) {
    if (byte === 4 || byte === 6 || byte === 8 || byte === 10) place++;
    const value = pool[at + byte] ?? 0;
    text[place++] = DIGITS[value >> 4] ?? 0;
    text[place++] = DIGITS[value & 0x0f] ?? 0;
  }
  return text.toString('latin1');
}

/** A new UUID v4 as 32 hex digits without hyphens (the form `x-request-id` uses). */
export function newHexUuid(): string {
  const at = drawUuid();
  return pool.toString('hex', at, at + 16);
}

/** A random lower-case hex string of `bytes` bytes, never all zeros (W3C trace and span ids). */
export function newHexId(bytes: number): string {
  const at = draw(bytes);
  const id = pool.toString('hex', at, at + bytes);
  return /[^0]/.test(id) ? id : newHexId(bytes);
}

/** A secret of so many random bytes, as base64url. Not from the pool: what was drawn there stays in memory. */
export function newSecret(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}

/** A random number from 0 to below 1, e.g. for the jitter of a pause. */
export function randomUnit(): number {
  const at = draw(6);
  return pool.readUIntBE(at, 6) / 2 ** 48;
}

/** Whether `value` may be an invocation or session id: 1–256 of `A-Z a-z 0-9 - _ . :` (protocol §8). */
export function isProtocolId(value: string | undefined): value is string {
  return value !== undefined && PROTOCOL_ID.test(value);
}
