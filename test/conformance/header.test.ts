import { describe, expect, test } from 'vitest';
import { useFixture } from './fixture-process.ts';
import { expectPlatformHeaders, HEX_32, SEGMENT } from './protocol-checks.ts';
import { verifies } from './verifies.ts';
import { exchange, get, post } from './wire.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const LOOSE = 'z'.repeat(32);

describe('headers of every answer', () => {
  const echo = useFixture('echo');

  const everywhere = [
    ['POST', '/invocations'],
    ['GET', '/invocations/i'],
    ['POST', '/invocations/i/cancel'],
    ['GET', '/readiness'],
    ['GET', '/nope'],
    ['PUT', '/invocations'],
    ['POST', '/invocations/'],
    ['GET', '/invocations/docs/openapi.json'],
  ] as const;

  test.for(everywhere)(
    '%s %s takes the trace id as its request id',
    verifies('header:request-id:trace'),
    async ([method, target]) => {
      const answer = await exchange(echo().port, {
        method,
        target,
        headers: { traceparent: `00-${TRACE}-${SPAN}-01`, 'x-request-id': 'mine' },
      });
      expect(answer.header('x-request-id')).toBe(TRACE);
    },
  );

  test.for([
    [`00-${TRACE}-${SPAN}-00`, TRACE],
    [`01-${TRACE}-${SPAN}-01-extra`, TRACE],
    [`cc-${TRACE}-short-zz`, TRACE],
    [`00-${LOOSE}-${SPAN}-01`, LOOSE],
    [`--${TRACE}--`, undefined],
    [`00-${TRACE}-${SPAN}`, undefined],
    [`00-${'0'.repeat(32)}-${SPAN}-01`, undefined],
    [`00-${TRACE.slice(1)}-${SPAN}-01`, undefined],
    [`00-${TRACE}0-${SPAN}-01`, undefined],
    ['', undefined],
    ['---', undefined],
    ['garbage', undefined],
  ] as const)(
    'traceparent %s gives %s, else the request id that came',
    verifies('header:request-id:loose-traceparent', 'trace:malformed'),
    async ([traceparent, id]) => {
      const answer = await post(echo().port, '/invocations', { headers: { traceparent, 'x-request-id': 'mine' } });
      expect(answer.status).toBe(200);
      expect(answer.header('x-request-id')).toBe(id ?? 'mine');
    },
  );

  test.for(['mine', 'a b', '{"json":1}', '0', 'x'.repeat(256), '<script>', 'a,b', '"quoted"', 'ÿé'])(
    'the request id %s is echoed verbatim',
    verifies('header:request-id:echo'),
    async (id) => {
      for (const [method, target] of everywhere) {
        const answer = await exchange(echo().port, { method, target, headers: { 'X-Request-ID': id } });
        expect(answer.header('x-request-id')).toBe(id);
      }
    },
  );

  test('of two request ids the first counts', verifies('header:repeated', 'header:request-id:echo'), async () => {
    const answer = await post(echo().port, '/invocations', { headers: { 'x-request-id': ['first', 'second'] } });
    expect(answer.header('x-request-id')).toBe('first');
  });

  test('without one it is 32 hex digits, new each time', verifies('header:request-id:generated'), async () => {
    const ids = new Set<string | undefined>();
    for (const [method, target] of everywhere) {
      const answer = await exchange(echo().port, { method, target });
      expect(answer.header('x-request-id')).toMatch(HEX_32);
      ids.add(answer.header('x-request-id'));
    }
    expect(ids.size).toBe(everywhere.length);
  });

  test('an empty or overlong request id is replaced', verifies('header:request-id:unsafe'), async () => {
    for (const id of ['', '   ', 'x'.repeat(257), 'x'.repeat(5000)]) {
      for (const [method, target] of everywhere) {
        const answer = await exchange(echo().port, { method, target, headers: { 'x-request-id': id } });
        expect(answer.header('x-request-id')).toMatch(HEX_32);
      }
    }
  });

  test('every answer names the server by segments of its own runtime', verifies('header:platform-server'), async () => {
    for (const [method, target] of everywhere) {
      const answer = await exchange(echo().port, { method, target });
      expectPlatformHeaders(answer);
      const [major, minor] = process.versions.node.split('.');
      for (const segment of (answer.header('x-platform-server') ?? '').split(/(?<=\)) /)) {
        expect(segment).toMatch(SEGMENT);
        expect(segment).toContain(`(node/${major}.${minor})`);
      }
    }
  });

  test('a successful answer carries neither error header', verifies('header:error-source'), async () => {
    const answer = await get(echo().port, '/readiness');
    const posted = await post(echo().port, '/invocations', { body: 'x' });
    for (const one of [answer, posted]) {
      expect(one.all('x-platform-error-source')).toEqual([]);
      expect(one.all('x-platform-error-detail')).toEqual([]);
    }
  });
});
