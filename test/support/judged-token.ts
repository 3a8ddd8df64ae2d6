/** Judges a signed token (JWT, RS256) as a service does that knows the public key. */
import { createPublicKey, verify } from 'node:crypto';

/** @returns its claims; undefined when the signature, the algorithm or the times do not hold */
export function judgedToken(
  authorization: string | undefined,
  publicKey: string,
  longestS: number,
): Readonly<Record<string, unknown>> | undefined {
  const [header = '', claims = '', signature = ''] = (authorization ?? '').replace(/^Bearer /, '').split('.');
  const key = createPublicKey(publicKey);
  const right = verify('RSA-SHA256', Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, 'base64url'));
  if (!right || decoded(header)['alg'] !== 'RS256') return undefined;
  const { iat, exp, ...others } = decoded(claims);
  const now = Date.now() / 1000;
  const fits = typeof iat === 'number' && typeof exp === 'number' && iat <= now + 5 && exp > now;
  return fits && exp - iat <= longestS ? others : undefined;
}

function decoded(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
}
