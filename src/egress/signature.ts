/**
 * Signatures of what we send, so that a receiver can tell it from what anybody sends. Two kinds side by side:
 * `x-aos-signature` (HMAC-SHA256 of the body, hex), and the headers of the Standard Webhooks specification, which also
 * bind the id and the time, so that an old message cannot be sent again by somebody who saw it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

const SECRET_PREFIX = 'whsec_';
/** How far the time of a message may be from the receiver's. */
const TOLERANCE_SECONDS = 300;

/** What is signed. */
export interface SignedMessage {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly timestamp: number;
  /** Exactly as sent. */
  readonly body: string;
}

/** Header names in small letters, as Node gives them. */
export type SignatureHeaders = Readonly<Record<string, string | undefined>>;

/** The headers a message goes out with; without a secret it has an id and a time, and no signature. */
export function signatureHeaders(secret: string | undefined, message: SignedMessage): Record<string, string> {
  const { id, timestamp, body } = message;
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    ...(secret !== undefined && {
      'webhook-signature': `v1,${messageHmac(secret, message)}`,
      'x-aos-signature': bodyHmac(secret, body),
    }),
  };
}

/**
 * For receivers: whether the body is from somebody who knows the secret. It does not say when it was sent, or whether
 * it came before; `verifyWebhook` does the former, remembering ids the latter.
 */
export function verifyBody(secret: string, body: string, headers: SignatureHeaders): boolean {
  return equal(headers['x-aos-signature'] ?? '', bodyHmac(secret, body));
}

/**
 * For receivers: whether the message is from somebody who knows the secret, and of now.
 * @param nowSeconds the receiver's time, seconds since the epoch
 */
export function verifyWebhook(
  secret: string,
  body: string,
  headers: SignatureHeaders,
  nowSeconds: number,
  toleranceSeconds: number = TOLERANCE_SECONDS,
): boolean {
  const { 'webhook-id': id, 'webhook-timestamp': time = '', 'webhook-signature': signatures = '' } = headers;
  if (id === undefined || !/^\d{1,12}$/.test(time)) return false;
  const timestamp = Number(time);
  if (Math.abs(nowSeconds - timestamp) > toleranceSeconds) return false;
  const expected = `v1,${messageHmac(secret, { id, timestamp, body })}`;
  // While a secret is exchanged a message may carry a signature of each; all are compared, whichever fits.
  return signatures.split(' ').filter((signature) => equal(signature, expected)).length > 0;
}

function bodyHmac(secret: string, body: string): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}

function messageHmac(secret: string, { id, timestamp, body }: SignedMessage): string {
  return createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest('base64');
}

/** A secret in the specification's form holds its bytes in base64; any other is its own text. */
function keyOf(secret: string): Buffer {
  return secret.startsWith(SECRET_PREFIX)
    ? Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
    : Buffer.from(secret);
}

/** Takes the same time wherever the first difference is. */
function equal(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
