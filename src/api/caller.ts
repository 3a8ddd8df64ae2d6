/** What a request of this door says about who asks. */
import { currentCall } from '../core/call.ts';
import { type Presented, queryTokenOf } from '../identity/presented.ts';

/** @param options.byQuery whether a token may stand in the query: for an `EventSource`, which sends no headers */
export function presentedBy({ headers, url }: Request, { byQuery = false } = {}): Presented {
  const mark = byQuery ? url.indexOf('?') : -1;
  return {
    headers,
    userId: headers.get('x-agent-user-id') ?? '',
    queryToken: mark === -1 ? undefined : queryTokenOf(new URLSearchParams(url.slice(mark))),
    address: currentCall()?.address ?? '',
  };
}
