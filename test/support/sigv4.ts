/** Judges AWS' signature (version 4) as AWS does: recomputes it from what came and the secret that belongs to the key. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { DoubleRequest } from './http-double.ts';

const FORM =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

/** @returns AWS' name of what is wrong; undefined when nothing is */
export function signatureFault(
  { method, url, headers, body }: DoubleRequest,
  scope: { readonly region: string; readonly service: string },
  secretOf: (accessKeyId: string) => string | undefined,
): string | undefined {
  const [, keyId = '', day = '', region = '', service = '', names = '', given = ''] =
    FORM.exec(headers.authorization ?? '') ?? [];
  if (given === '') return 'MissingAuthenticationToken';
  const secret = secretOf(keyId);
  if (secret === undefined) return 'UnrecognizedClientException';
  const signed = names.split(';');
  // What is not signed, anybody could have changed.
  if (!['host', 'x-amz-date'].every((name) => signed.includes(name))) return 'IncompleteSignature';
  if (region !== scope.region || service !== scope.service) return 'InvalidSignatureException';
  const moment = String(headers['x-amz-date']);
  const query = [...url.searchParams]
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .toSorted()
    .join('&');
  const lines = signed
    .map(
      (name) =>
        `${name}:${String(headers[name] ?? '')
          .trim()
          .replaceAll(/ +/g, ' ')}\n`,
    )
    .join('');
  const canonical = [method, url.pathname, query, lines, names, sha256(body)].join('\n');
  const text = ['AWS4-HMAC-SHA256', moment, `${day}/${region}/${service}/aws4_request`, sha256(canonical)].join('\n');
  const key = [day, region, service, 'aws4_request'].reduce<Buffer | string>(
    (previous, part) => hmac(previous, part),
    `AWS4${secret}`,
  );
  const expected = hmac(key, text);
  const isRight = moment.startsWith(day) && timingSafeEqual(expected, Buffer.from(given, 'hex'));
  return isRight ? undefined : 'InvalidSignatureException';
}

function sha256(text: string | Buffer): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
