/** Which tokens are taken: what verifies them, apart from the library that does it. */

/** What public keys sign; nothing symmetric, and never `none`. */
export const publicAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;
export type PublicAlgorithm = (typeof publicAlgorithms)[number];

/** In an issuer: the token's own `tid`. */
export const ANY_DIRECTORY = '{tenantid}';

/** Tokens of an issuer who publishes his keys. */
export interface IssuedRules {
  readonly jwksUrl: string;
  /** May have `{tenantid}` in it. */
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly algorithms: readonly PublicAlgorithm[];
}

/** Tokens signed with a secret that both sides know (HS256). */
export interface SecretRules {
  readonly secret: string;
  readonly issuer: string | undefined;
  /** None: whatever a token says. */
  readonly audiences: readonly string[];
}
