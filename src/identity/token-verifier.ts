/**
 * Verifies signed tokens (JWT): those of an issuer by its published keys, and those signed with a secret of ours. These
 * are two verifiers, each with its own algorithms, so that a public key can never pass for a secret.
 *
 * Whether a token is bad (401) and whether that cannot be found out (503) are different things: the latter only when the
 * keys cannot be had and the token names one that is not known. Keys once seen serve while their source is away.
 */
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeProtectedHeader,
  errors,
  type FetchImplementation,
  type JWSHeaderParameters,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import type { Clock } from '../core/clock.ts';
import { identityUnavailable, type RefusalReason, unauthenticated } from './refusal.ts';
import type { Claims } from './token-claims.ts';
import { ANY_DIRECTORY, type IssuedRules, type SecretRules } from './token-rules.ts';

/** Clocks of different machines differ; a token is good for so many seconds more. */
const SKEW_SECONDS = 60;
const COOLDOWN_MS = 30_000;
const KEYS_TIMEOUT_MS = 5_000;
/** Longer than any that fits beside other headers and still says something sensible. */
const MAX_TOKEN_LENGTH = 16_384;

export interface VerifierParts {
  readonly issued: IssuedRules | undefined;
  readonly signed: SecretRules | undefined;
  readonly clock: Clock;
  /** How long an unknown key is not looked for again once keys were fetched, in milliseconds. */
  readonly cooldownMs?: number;
  readonly keysTimeoutMs?: number;
  readonly fetch?: FetchImplementation;
}

/**
 * @returns the claims of a token whose signature and times are good
 * @throws AosError unauthenticated, unavailable
 */
export type TokenVerifier = (token: string) => Promise<Claims>;

export function createTokenVerifier(parts: VerifierParts): TokenVerifier {
  const { issued, signed, clock } = parts;
  const keys = issued === undefined ? undefined : publishedKeys(issued.jwksUrl, parts);
  const secret = signed === undefined ? undefined : new TextEncoder().encode(signed.secret);

  const times = (): JWTVerifyOptions => ({
    clockTolerance: SKEW_SECONDS,
    currentDate: new Date(clock.now()),
    requiredClaims: ['exp'],
  });

  async function verifyIssued(token: string, rules: IssuedRules, key: JWTVerifyGetKey): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, key, {
      ...times(),
      algorithms: [...rules.algorithms],
      audience: [...rules.audiences],
      ...(!rules.issuer.includes(ANY_DIRECTORY) && { issuer: rules.issuer }),
    });
    const tid = typeof payload['tid'] === 'string' ? payload['tid'] : '';
    if (rules.issuer.replace(ANY_DIRECTORY, () => tid) !== payload.iss) throw refusal('issuer');
    return payload;
  }

  async function verifySigned(token: string, rules: SecretRules, key: Uint8Array): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, key, {
      ...times(),
      algorithms: ['HS256'],
      ...(rules.issuer !== undefined && { issuer: rules.issuer }),
      ...(rules.audiences.length > 0 && { audience: [...rules.audiences] }),
    });
    return payload;
  }

  return async (token) => {
    const { alg = '' } = token.length > MAX_TOKEN_LENGTH ? fail('malformed') : headerOf(token);
    try {
      if (alg === 'HS256' && signed !== undefined && secret !== undefined) {
        return await verifySigned(token, signed, secret);
      }
      if (alg !== 'HS256' && issued !== undefined && keys !== undefined) {
        return await verifyIssued(token, issued, keys);
      }
    } catch (thrown) {
      throw translated(thrown);
    }
    throw refusal('algorithm');
  };
}

/** The keys of an issuer; those seen last while it cannot be asked. */
function publishedKeys(url: string, { cooldownMs, keysTimeoutMs, fetch }: VerifierParts): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(new URL(url), {
    cooldownDuration: cooldownMs ?? COOLDOWN_MS,
    timeoutDuration: keysTimeoutMs ?? KEYS_TIMEOUT_MS,
    ...(fetch !== undefined && { [customFetch]: fetch }),
  });
  return async (header, token) => {
    try {
      return await remote(header, token);
    } catch (thrown) {
      if (!isAway(thrown)) throw thrown;
      const seen = remote.jwks();
      if (seen === undefined) throw identityUnavailable(thrown);
      try {
        return await createLocalJWKSet(seen)(header, token);
      } catch {
        throw identityUnavailable(thrown);
      }
    }
  };
}

/** Whether it is the source of the keys that failed, rather than the token. */
function isAway(thrown: unknown): boolean {
  if (!(thrown instanceof errors.JOSEError)) return true;
  return thrown.code === 'ERR_JWKS_TIMEOUT' || thrown.code === 'ERR_JOSE_GENERIC' || thrown.code === 'ERR_JWKS_INVALID';
}

function headerOf(token: string): JWSHeaderParameters {
  try {
    return decodeProtectedHeader(token);
  } catch {
    return fail('malformed');
  }
}

function translated(thrown: unknown): unknown {
  if (thrown instanceof errors.JWTExpired) return refusal('expired');
  if (thrown instanceof errors.JWTClaimValidationFailed) {
    const { claim } = thrown;
    if (claim === 'nbf') return refusal('not_yet_valid');
    return refusal(claim === 'aud' ? 'audience' : claim === 'iss' ? 'issuer' : 'claims');
  }
  if (thrown instanceof errors.JOSEAlgNotAllowed) return refusal('algorithm');
  if (thrown instanceof errors.JWSSignatureVerificationFailed) return refusal('signature');
  if (thrown instanceof errors.JWKSNoMatchingKey || thrown instanceof errors.JWKSMultipleMatchingKeys) {
    return refusal('unknown_key');
  }
  // Everything else that the library says is about a token that is none.
  return thrown instanceof errors.JOSEError || thrown instanceof TypeError ? refusal('malformed') : thrown;
}

const SENTENCES: Readonly<Partial<Record<RefusalReason, string>>> = {
  expired: 'The token has expired: get a new one.',
  not_yet_valid: 'The token is not valid yet: look at the clock of whoever issued it.',
  issuer: 'The token is of another issuer than AUTH_ISSUER.',
  audience: 'The token is for another audience than AUTH_AUDIENCE.',
  algorithm: 'The token is signed with an algorithm that is not taken here.',
  signature: 'The signature of the token is not good.',
  unknown_key: 'The token is signed with a key that its issuer does not publish.',
  claims: 'The token lacks a claim that is needed, such as "exp".',
  malformed: 'This is no signed token (JWT).',
};

function refusal(why: RefusalReason) {
  return unauthenticated(why, SENTENCES[why] ?? 'The token cannot be used.');
}

function fail(why: RefusalReason): never {
  throw refusal(why);
}
