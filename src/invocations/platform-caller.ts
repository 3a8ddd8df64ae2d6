/** What a call of the protocol says about who asks. */
import type { CallContext } from '../host/inbound-call.ts';
import { type Presented, queryTokenOf } from '../identity/presented.ts';

/** @param options.byQuery whether a token may stand in the query: for browsers, where they can send no headers */
export function presentedBy(
  { headers }: { readonly headers: Headers },
  context: Pick<CallContext, 'userId' | 'address' | 'query'>,
  { byQuery = false } = {},
): Presented {
  return {
    headers,
    userId: context.userId,
    queryToken: byQuery ? queryTokenOf(context.query) : undefined,
    address: context.address ?? '',
  };
}
