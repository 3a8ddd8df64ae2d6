/**
 * A request's body as text, read once and no further than it may be long.
 */
import { AosError } from '../core/errors.ts';

/** @throws AosError payload_too_large, or invalid_request when it is not UTF-8 */
export async function readRequestText(request: Request, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw new AosError('payload_too_large', `the request body is larger than ${maxBytes / 1024 / 1024} MiB`);
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks, size));
  } catch {
    throw new AosError('invalid_request', 'the request body is not UTF-8 text');
  }
}
