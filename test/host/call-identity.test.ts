import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isProtocolId } from '../../src/core/ids.ts';
import {
  clientHeaders,
  firstHeader,
  isSafeHeaderText,
  type RequestHead,
  resolveInvocationId,
  resolveLookupSessionId,
  resolvePathId,
  resolveRequestId,
  resolveSessionId,
} from '../../src/host/call-identity.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TRACE = '0af7651916cd43dd8448eb211c80319c';

/** A request head as Node builds it: raw pairs, and repeated headers joined. */
function head(...pairs: [string, string][]): RequestHead {
  const headers: Record<string, string> = {};
  for (const [name, value] of pairs) {
    const key = name.toLowerCase();
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`;
  }
  return { headers, rawHeaders: pairs.flat() };
}

describe('the first value of a header counts', () => {
  test('when it is sent twice, in any letter case', () => {
    expect(firstHeader(head(['X-Id', 'one'], ['x-id', 'two']), 'x-id')).toBe('one');
  });
  test('and a comma inside one value does not cut it', () => {
    expect(firstHeader(head(['x-id', 'a, b']), 'x-id')).toBe('a, b');
  });
  test('and an absent one is undefined', () => {
    expect(firstHeader(head(), 'x-id')).toBeUndefined();
  });
});

describe('invocation ids', () => {
  test.each(['a', 'A-Z_0.9:x', 'x'.repeat(256)])('%s is kept', (id) => {
    expect(resolveInvocationId(head(['x-agent-invocation-id', id]))).toBe(id);
    expect(resolvePathId(id)).toBe(id);
  });
  test.each(['', 'a b', 'a/b', 'é', 'a\n', 'x'.repeat(257)])('%j is replaced by a UUID', (id) => {
    expect(resolveInvocationId(head(['x-agent-invocation-id', id]))).toMatch(UUID);
    expect(resolvePathId(id)).toMatch(UUID);
  });
  test('of two headers the first is taken', () => {
    expect(resolveInvocationId(head(['x-agent-invocation-id', 'one'], ['x-agent-invocation-id', 'two']))).toBe('one');
  });
  test('whatever comes, the result is a valid id', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (id) => {
        expect(isProtocolId(resolveInvocationId(head(['x-agent-invocation-id', id])))).toBe(true);
      }),
    );
  });
});

describe('session ids', () => {
  test.each([
    { query: 'agent_session_id=q', environment: 'e', starting: 'q', lookingUp: 'q' },
    { query: 'agent_session_id=one&agent_session_id=two', environment: 'e', starting: 'two', lookingUp: 'two' },
    { query: 'agent_session_id=one&agent_session_id=', environment: 'e', starting: 'e', lookingUp: 'e' },
    { query: 'agent_session_id=', environment: 'e', starting: 'e', lookingUp: 'e' },
    { query: 'other=1', environment: 'e', starting: 'e', lookingUp: 'e' },
    { query: 'agent_session_id=a%20b', environment: 'e', starting: UUID, lookingUp: '' },
    { query: 'agent_session_id=abc%0A', environment: 'e', starting: UUID, lookingUp: '' },
    { query: '', environment: 'bad id', starting: UUID, lookingUp: '' },
    { query: '', environment: '', starting: UUID, lookingUp: '' },
  ])('query "$query" with environment "$environment"', ({ query, environment, starting, lookingUp }) => {
    const parameters = new URLSearchParams(query);
    const expectedStart = starting instanceof RegExp ? expect.stringMatching(starting) : starting;
    expect(resolveSessionId(parameters, environment)).toEqual(expectedStart);
    expect(resolveLookupSessionId(parameters, environment)).toBe(lookingUp);
  });
});

describe('the request id of the response', () => {
  const traceparent: [string, string] = ['traceparent', `00-${TRACE}-b7ad6b7169203331-01`];
  test('is the trace id of the caller', () => {
    expect(resolveRequestId(head(traceparent, ['x-request-id', 'mine']))).toBe(TRACE);
  });
  test.each([
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${TRACE}-b7ad6b7169203331`,
    'nonsense',
    '00-short-b7ad6b7169203331-01',
  ])('else the caller’s own: traceparent %s is none', (broken) => {
    expect(resolveRequestId(head(['traceparent', broken], ['x-request-id', 'mine']))).toBe('mine');
  });
  test('else that of our own trace, else a new one of 32 hex digits', () => {
    expect(resolveRequestId(head(), TRACE)).toBe(TRACE);
    expect(resolveRequestId(head())).toMatch(/^[0-9a-f]{32}$/);
  });
  test.each(['x'.repeat(257), 'a\u0000b', 'a\u0100'])('an unsafe or overlong one is not echoed', (id) => {
    expect(resolveRequestId(head(['x-request-id', id]))).toMatch(/^[0-9a-f]{32}$/);
  });
});

test('only x-client headers are passed through to the handler', () => {
  const request = head(['X-Client-Name', 'a'], ['x-client-name', 'b'], ['x-clientele', 'c'], ['accept', 'd']);
  expect(clientHeaders(request)).toEqual({ 'x-client-name': 'a' });
});

test('text is safe for a header exactly when Node writes it', async () => {
  const { validateHeaderValue } = await import('node:http');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const accepted = () => {
        try {
          validateHeaderValue('x', text);
          return true;
        } catch {
          return false;
        }
      };
      expect(isSafeHeaderText(text)).toBe(accepted());
    }),
  );
});
