/**
 * Where nobody has to prove anything, being on this machine is all that lets a caller in. A web page that somebody opens
 * on this machine is not: a browser says where the page is from (`Origin`), and under which name it believes to have
 * found us (`Host`), which must be a name of this machine.
 */
import { AosError } from '../core/errors.ts';

const LOCAL_NAME = /^(?:localhost|[a-z0-9-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i;

/** @throws AosError forbidden for a call from a page of somewhere else, or to another name */
export function refuseForeignPages(headers: Pick<Headers, 'get'>): void {
  const origin = headers.get('origin');
  const host = headers.get('host');
  if ((origin === null || isLocal(origin)) && (host === null || isLocal(`http://${host}`))) return;
  throw new AosError(
    'forbidden',
    'This server has no authentication and answers its own machine only, and neither pages of other sites nor other names: set AUTH_MODE, or AOS_ALLOW_UNAUTHENTICATED=on.',
    { reason: 'ORIGIN_REFUSED' },
  );
}

function isLocal(address: string): boolean {
  const url = URL.parse(address);
  return url !== null && LOCAL_NAME.test(url.hostname);
}
