/**
 * The value of `x-platform-server` (protocol §7): who answers, as `name/version (runtime/major.minor)` segments.
 */
import { ConfigurationError } from './settings.ts';

/** Version of this package; a test holds it equal to package.json. */
export const HOST_VERSION = '0.1.0';

/** @param segments of libraries on top of the host, in the order they were registered; duplicates are dropped */
export function serverIdentity(nodeVersion: string, segments: readonly string[] = []): string {
  const runtime = `node/${nodeVersion.split('.').slice(0, 2).join('.')}`;
  const own = `aos-agent-server/${HOST_VERSION} (${runtime})`;
  for (const segment of segments) {
    if (!/^[\x21-\x7e][\x20-\x7e]*$/.test(segment)) {
      throw new ConfigurationError(
        `a server identity segment must be printable ASCII and not blank, but it is ${JSON.stringify(segment)}`,
      );
    }
  }
  return [...new Set([own, ...segments])].join(' ');
}
