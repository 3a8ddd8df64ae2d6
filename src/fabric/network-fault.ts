/** What the system says when a connection fails: whether anything can have gone out on it. */

/** Codes of failures before a connection stands. */
const BEFORE_SENDING = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EADDRNOTAVAIL',
  'EPROTO',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

export interface SystemCode {
  readonly code: string;
  /** False when nothing can have left; true when something may have. */
  readonly sent: boolean;
}

/** The first code that the error or what caused it carries; undefined when there is none. */
export function systemCode(thrown: unknown): SystemCode | undefined {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth++) {
    const [first]: unknown[] = error instanceof AggregateError ? error.errors : [];
    const code = codeOf(error) ?? codeOf(first) ?? codeInText(error.message);
    if (code !== undefined) return { code, sent: !BEFORE_SENDING.has(code) };
  }
  return undefined;
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return /^[A-Z][A-Z0-9_]{2,40}$/.test(error.code) ? error.code : undefined;
}

/** Some libraries keep the code in their sentence only: `Connection error: connect ECONNREFUSED 127.0.0.1:1`. */
function codeInText(message: string): string | undefined {
  return /\b(?:connect|getaddrinfo|read|write) (E[A-Z_]{3,20})\b/.exec(message)?.[1];
}
