import { describe, expect, test } from 'vitest';
import { useFixture } from './fixture-process.ts';
import {
  expectError,
  expectOnlyInvocationId,
  expectPlain,
  expectPlatformHeaders,
  INVOCATION_ID,
  SESSION_ID,
  UUID,
} from './protocol-checks.ts';
import { verifies } from './verifies.ts';
import { exchange, get, post, Wire } from './wire.ts';

describe('without any handler', () => {
  const none = useFixture('none');

  test(
    'readiness is 200 with the exact twenty bytes',
    verifies('readiness:answer', 'readiness:no-handler'),
    async () => {
      const answer = await get(none().port, '/readiness');
      expect(answer.status).toBe(200);
      expect(answer.header('content-type')).toBe('application/json');
      expect(answer.text).toBe('{"status":"healthy"}');
      expect(answer.body.length).toBe(20);
    },
  );

  test('readiness carries the platform headers and nothing of an agent', verifies('readiness:headers'), async () => {
    const answer = await get(none().port, '/readiness?agent_session_id=s', {
      headers: { 'x-agent-invocation-id': 'i', 'x-agent-user-id': 'u' },
    });
    expect(answer.status).toBe(200);
    expectPlatformHeaders(answer);
    expect(answer.all(INVOCATION_ID)).toEqual([]);
    expect(answer.all(SESSION_ID)).toEqual([]);
    expect(answer.all('x-platform-error-source')).toEqual([]);
  });

  test('HEAD on readiness has the headers of GET and no body', verifies('readiness:head'), async () => {
    const wire = await Wire.open(none().port);
    wire.ask({ method: 'HEAD', target: '/readiness' });
    const head = await wire.answer('HEAD');
    wire.ask({ method: 'GET', target: '/readiness' });
    const whole = await wire.answer('GET');
    wire.close();
    expect(head.status).toBe(200);
    expect(head.header('content-type')).toBe('application/json');
    expectPlatformHeaders(head);
    expect(whole.text, 'the connection is still in step').toBe('{"status":"healthy"}');
  });

  test.for(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    '%s on readiness is 405 and allows GET and HEAD',
    verifies('readiness:methods'),
    async (method) => {
      const answer = await exchange(none().port, { method, target: '/readiness', body: '{}' });
      expectPlain(answer, 405, 'Method Not Allowed');
      expect(allowed(answer.header('allow'))).toEqual(['GET', 'HEAD']);
    },
  );

  test.for([
    '/',
    '/nope',
    '/liveness',
    '/healthz',
    '/invocation',
    '/Invocations',
    '/READINESS',
    '/invocations/a/b',
    '/invocations/a/cancel/b',
    '/invocations_ws/x',
  ])(
    '%s is an unknown path',
    verifies('route:unknown', 'route:router-headers', 'host:no-liveness-route'),
    async (target) => {
      expectPlain(await get(none().port, target), 404, 'Not Found');
      expectPlain(await post(none().port, target), 404, 'Not Found');
    },
  );

  test.for([
    '//invocations',
    '//readiness',
    '/invocations//cancel',
    '/invocations//x/cancel',
    '/invocations/x//cancel',
    '//',
  ])('%s has a doubled slash and is unknown', verifies('route:double-slash'), async (target) => {
    const method = target.endsWith('cancel') || target.endsWith('invocations') ? 'POST' : 'GET';
    expectPlain(await exchange(none().port, { method, target, body: '' }), 404, 'Not Found');
  });

  test.for(['/invocations/a%2Fb', '/invocations/a%2fb', '/invocations/..%2Freadiness'])(
    'GET %s is unknown: the encoded slash is a slash',
    verifies('route:encoded-slash'),
    async (target) => {
      expectPlain(await get(none().port, target), 404, 'Not Found');
    },
  );

  test.for([
    ['/invocations/..', '..'],
    ['/invocations/.', '.'],
    ['/invocations/%2e%2e', '..'],
    ['/invocations/%2E', '.'],
  ])('GET %s looks up the id %s', verifies('route:dot-segments'), async ([target = '', id = '']) => {
    const answer = await get(none().port, target);
    expectError(answer, { status: 404, code: 'not_found', message: 'get_invocation not implemented' });
    expectOnlyInvocationId(answer, id);
  });

  test.for([
    '/invocations/../readiness',
    '/x/../readiness',
    '/./readiness',
    '/invocations/./x',
    '/invocations\\x',
    '\\readiness',
    '/x/%2e%2e/readiness',
  ])('%s is not resolved to another path', verifies('route:dot-segments'), async (target) => {
    const answer = await get(none().port, target);
    expect([400, 404]).toContain(answer.status);
    if (target.startsWith('/')) expectPlain(answer, 404, 'Not Found');
  });

  test.for([
    '/invocations/%',
    '/invocations/%zz',
    '/invocations/%2',
    '/invocations/%FF%FE',
    '/invocations/%E4',
    '/invocations/a%00b',
    '/invocations/%ED%A0%80',
  ])('GET %s is a lookup whose id is replaced', verifies('route:bad-encoding', 'id:path:invalid'), async (target) => {
    const answer = await get(none().port, target);
    expectError(answer, { status: 404, code: 'not_found', message: 'get_invocation not implemented' });
    expectOnlyInvocationId(answer, UUID);
  });

  test(
    'a percent sign that encodes nothing in an unknown path is 404 too',
    verifies('route:bad-encoding'),
    async () => {
      expectPlain(await get(none().port, '/%zz'), 404, 'Not Found');
      expectPlain(await get(none().port, '/%FF'), 404, 'Not Found');
    },
  );

  test('GET /invocations/docs looks up the id docs', verifies('route:docs-is-an-id'), async () => {
    const answer = await get(none().port, '/invocations/docs');
    expectError(answer, { status: 404, code: 'not_found', message: 'get_invocation not implemented' });
    expectOnlyInvocationId(answer, 'docs');
  });

  test.for([
    ['GET', '/invocations', 'POST'],
    ['PUT', '/invocations', 'POST'],
    ['PATCH', '/invocations', 'POST'],
    ['DELETE', '/invocations', 'POST'],
    ['OPTIONS', '/invocations', 'POST'],
    ['POST', '/invocations/abc', 'GET, HEAD'],
    ['PUT', '/invocations/abc', 'GET, HEAD'],
    ['PATCH', '/invocations/abc', 'GET, HEAD'],
    ['DELETE', '/invocations/abc', 'GET, HEAD'],
    ['OPTIONS', '/invocations/abc', 'GET, HEAD'],
    ['GET', '/invocations/abc/cancel', 'POST'],
    ['PUT', '/invocations/abc/cancel', 'POST'],
    ['DELETE', '/invocations/abc/cancel', 'POST'],
    ['OPTIONS', '/invocations/abc/cancel', 'POST'],
    ['POST', '/invocations/docs/openapi.json', 'GET, HEAD'],
    ['DELETE', '/invocations/docs/openapi.json', 'GET, HEAD'],
  ])(
    '%s %s is 405 and allows %s',
    verifies('route:method-mismatch', 'route:no-cors'),
    async ([method = '', target = '', allow]) => {
      const answer = await exchange(none().port, {
        method,
        target: `${target}?a=b`,
        headers: { origin: 'https://elsewhere.test', 'access-control-request-method': 'POST' },
        body: 'ignored',
      });
      expectPlain(answer, 405, 'Method Not Allowed');
      expect(answer.body.length).toBe(18);
      expect(allowed(answer.header('allow'))).toEqual(allowed(allow));
      expect(answer.headers.filter(([name]) => name.startsWith('access-control-'))).toEqual([]);
    },
  );

  test('HEAD on /invocations is 405 without a body', verifies('route:method-mismatch', 'route:head'), async () => {
    const answer = await exchange(none().port, { method: 'HEAD', target: '/invocations' });
    expect(answer.status).toBe(405);
    expect(allowed(answer.header('allow'))).toEqual(['POST']);
    expectPlatformHeaders(answer);
  });

  test.for(['TRACE', 'PROPFIND', 'QUERY', 'LINK', 'PURGE'])(
    '%s is refused in order',
    verifies('conn:odd-methods'),
    async (method) => {
      expectPlain(await exchange(none().port, { method, target: '/invocations' }), 405, 'Method Not Allowed');
      expectPlain(await exchange(none().port, { method, target: '/readiness' }), 405, 'Method Not Allowed');
      expectPlain(await exchange(none().port, { method, target: '/nope' }), 404, 'Not Found');
    },
  );

  test('OPTIONS * and CONNECT are refused and the server lives on', verifies('conn:odd-methods'), async () => {
    const options = await exchange(none().port, 'OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n');
    expect([400, 404, 405]).toContain(options.status);
    const wire = await Wire.open(none().port);
    wire.write('CONNECT example.test:443 HTTP/1.1\r\nhost: example.test:443\r\n\r\n');
    const first = await wire.some();
    wire.close();
    expect(first?.toString('latin1') ?? 'HTTP/1.1 4').toMatch(/^HTTP\/1\.1 4/);
    expect((await get(none().port, '/readiness')).status).toBe(200);
  });

  test.for([
    ['POST', '/invocations/', '/invocations'],
    ['GET', '/invocations/', '/invocations'],
    ['POST', '/invocations/?a=1&b=%20', '/invocations?a=1&b=%20'],
    ['GET', '/readiness/', '/readiness'],
    ['HEAD', '/readiness/', '/readiness'],
    ['GET', '/invocations/abc/', '/invocations/abc'],
    ['POST', '/invocations/abc/cancel/', '/invocations/abc/cancel'],
    ['GET', '/invocations/docs/openapi.json/', '/invocations/docs/openapi.json'],
  ])(
    '%s %s is redirected to %s',
    verifies('route:trailing-slash', 'route:router-headers'),
    async ([method = '', target = '', to]) => {
      const answer = await exchange(none().port, {
        method,
        target,
        headers: { host: 'agent.example:8443' },
        ...(method === 'POST' ? { body: '{"kept":true}' } : {}),
      });
      expect(answer.status).toBe(307);
      expect(answer.header('location')).toBe(`http://agent.example:8443${to}`);
      expect(answer.body.length).toBe(0);
      expectPlatformHeaders(answer);
      expect(answer.all('x-platform-error-source')).toEqual([]);
      expect(answer.all(INVOCATION_ID)).toEqual([]);
    },
  );

  test(
    'the redirect of an id with control characters stays encoded',
    verifies('route:trailing-slash:safe'),
    async () => {
      const answer = await get(none().port, '/invocations/a%0d%0aset-cookie:x/', { headers: { host: 'h' } });
      expect(answer.status).toBe(307);
      expect(answer.header('location')?.toLowerCase()).toBe('http://h/invocations/a%0d%0aset-cookie:x');
      expect(answer.all('set-cookie')).toEqual([]);
    },
  );

  test.for(['evil.example', 'EVIL.example:1', '[::1]:8088', 'under_score', 'xn--bcher-kva.example', '127.0.0.1:65535'])(
    'the redirect echoes the host %s and nothing else',
    verifies('route:trailing-slash:safe', 'conn:host-untrusted'),
    async (host) => {
      const answer = await post(none().port, '/invocations/', {
        headers: { host, 'x-forwarded-host': 'other.example', 'x-forwarded-proto': 'https', forwarded: 'host=other' },
      });
      expect(answer.header('location')).toBe(`http://${host}/invocations`);
    },
  );

  test.for([
    ['/invocations/a%3Fb/', '/invocations/a%3Fb'],
    ['/invocations/a%23b/?q=1', '/invocations/a%23b?q=1'],
    ['/invocations/100%25/', '/invocations/100%25'],
    ['/invocations/%E4%B8%96/', '/invocations/%E4%B8%96'],
    ['/invocations/a%20b/', '/invocations/a%20b'],
    ['/invocations/a%22%3C/', '/invocations/a%22%3C'],
  ])(
    'the redirect of %s leads to the same id',
    verifies('route:trailing-slash:safe', 'route:trailing-slash'),
    async ([target = '', to]) => {
      const answer = await get(none().port, target, { headers: { host: 'h' } });
      expect([answer.status, answer.header('location')]).toEqual([307, `http://h${to}`]);
    },
  );

  test('unknown paths with a trailing slash stay unknown', verifies('route:unknown'), async () => {
    expectPlain(await get(none().port, '/nope/'), 404, 'Not Found');
    expectPlain(await get(none().port, '/invocations_ws/'), 404, 'Not Found');
  });

  test('a plain GET or POST on the WebSocket route is 404', verifies('route:ws-plain-get'), async () => {
    expectPlain(await get(none().port, '/invocations_ws'), 404, 'Not Found');
    expectPlain(await post(none().port, '/invocations_ws'), 404, 'Not Found');
  });

  test(
    'POST without a handler is 501 and names the registration',
    verifies('post:no-handler', 'post:ids', 'error:body'),
    async () => {
      const answer = await post(none().port, '/invocations?agent_session_id=s1', {
        headers: { 'x-agent-invocation-id': 'i1' },
        body: '{}',
      });
      expectError(answer, { status: 501, code: 'not_implemented' });
      expect((answer.json() as { error: { message: string } }).error.message).toMatch(/onInvoke/);
      expect(answer.header(INVOCATION_ID)).toBe('i1');
      expect(answer.header(SESSION_ID)).toBe('s1');
    },
  );

  test(
    'GET without a handler is 404 in the envelope',
    verifies('get:no-handler', 'get:headers', 'header:error-source'),
    async () => {
      const answer = await get(none().port, '/invocations/abc?agent_session_id=s1');
      expectError(answer, { status: 404, code: 'not_found', message: 'get_invocation not implemented' });
      expectOnlyInvocationId(answer, 'abc');
    },
  );

  test('cancel without a handler is 404 in the envelope', verifies('cancel:no-handler', 'cancel:headers'), async () => {
    const answer = await post(none().port, '/invocations/abc/cancel');
    expectError(answer, { status: 404, code: 'not_found', message: 'cancel_invocation not implemented' });
    expectOnlyInvocationId(answer, 'abc');
  });

  test('HEAD of an invocation has the headers of GET and no body', verifies('route:head'), async () => {
    const wire = await Wire.open(none().port);
    wire.ask({ method: 'HEAD', target: '/invocations/abc' });
    const head = await wire.answer('HEAD');
    wire.ask({ method: 'HEAD', target: '/nope' });
    const unknown = await wire.answer('HEAD');
    wire.ask({ method: 'GET', target: '/readiness' });
    const last = await wire.answer();
    wire.close();
    expect(head.status).toBe(404);
    expect(head.header('content-type')).toBe('application/json');
    expect(head.header('x-platform-error-source')).toBe('upstream');
    expectOnlyInvocationId(head, 'abc');
    expect(unknown.status).toBe(404);
    expect(last.text).toBe('{"status":"healthy"}');
  });

  test(
    'openapi.json without a document is 404 in the envelope, without ids',
    verifies('docs:openapi:absent'),
    async () => {
      const answer = await get(none().port, '/invocations/docs/openapi.json');
      expectError(answer, { status: 404, code: 'not_found', message: 'No OpenAPI spec registered' });
      expect(answer.all(INVOCATION_ID)).toEqual([]);
      expect(answer.all(SESSION_ID)).toEqual([]);
    },
  );

  test('AsyncAPI documents not given are 404 in the envelope', verifies('docs:asyncapi:absent'), async () => {
    for (const target of ['/invocations/docs/asyncapi.json', '/invocations/docs/asyncapi.yaml']) {
      const answer = await get(none().port, target);
      expectError(answer, { status: 404, code: 'not_found', message: 'No AsyncAPI spec registered' });
      expect(answer.all(INVOCATION_ID)).toEqual([]);
    }
  });
});

describe('with an OpenAPI document', () => {
  const spec = useFixture('spec');
  const bytes = '{"openapi":"3.0.3","info":{"title":"Tést 世界","version":"1"},"paths":{}}';

  test('it is served compact, unescaped, without agent headers', verifies('docs:openapi'), async () => {
    const answer = await get(spec().port, '/invocations/docs/openapi.json?x=1');
    expect(answer.status).toBe(200);
    expect(answer.header('content-type')).toBe('application/json');
    expect(answer.text).toBe(bytes);
    expect(answer.all(INVOCATION_ID)).toEqual([]);
    expect(answer.all(SESSION_ID)).toEqual([]);
    expect(answer.all('x-platform-error-source')).toEqual([]);
    expectPlatformHeaders(answer);
  });

  test('HEAD has its type and no body', verifies('docs:openapi', 'route:head'), async () => {
    const answer = await exchange(spec().port, { method: 'HEAD', target: '/invocations/docs/openapi.json' });
    expect(answer.status).toBe(200);
    expect(answer.header('content-type')).toBe('application/json');
    const length = answer.header('content-length');
    if (length !== undefined) expect(Number(length)).toBe(Buffer.byteLength(bytes));
  });

  test('AsyncAPI is not there because OpenAPI is', verifies('docs:asyncapi:absent'), async () => {
    expect((await get(spec().port, '/invocations/docs/asyncapi.json')).status).toBe(404);
  });
});

describe('with AsyncAPI documents', () => {
  const both = useFixture('asyncapi');
  const onlyJson = useFixture('asyncapijson');

  test('the object is compact JSON and the YAML is byte for byte', verifies('docs:asyncapi'), async () => {
    const json = await get(both().port, '/invocations/docs/asyncapi.json');
    expect(json.status).toBe(200);
    expect(json.header('content-type')).toBe('application/json');
    expect(json.text).toBe('{"asyncapi":"3.0.0","info":{"title":"A","version":"1"}}');
    const yaml = await get(both().port, '/invocations/docs/asyncapi.yaml');
    expect(yaml.status).toBe(200);
    expect(yaml.header('content-type')).toMatch(/^application\/yaml(; charset=utf-8)?$/);
    expect(yaml.text).toBe('asyncapi: 3.0.0\ninfo:\n  title: A   # kept\n  version: "1"\n');
    for (const answer of [json, yaml]) {
      expectPlatformHeaders(answer);
      expect(answer.all(INVOCATION_ID)).toEqual([]);
    }
  });

  test('one does not stand in for the other', verifies('docs:asyncapi', 'docs:asyncapi:absent'), async () => {
    expect((await get(onlyJson().port, '/invocations/docs/asyncapi.json')).status).toBe(200);
    expectError(await get(onlyJson().port, '/invocations/docs/asyncapi.yaml'), { status: 404, code: 'not_found' });
    expectError(await get(both().port, '/invocations/docs/openapi.json'), { status: 404, code: 'not_found' });
  });

  test('the documents take GET and HEAD only', verifies('docs:asyncapi', 'route:method-mismatch'), async () => {
    for (const target of ['/invocations/docs/asyncapi.json', '/invocations/docs/asyncapi.yaml']) {
      expectPlain(await post(both().port, target), 405, 'Method Not Allowed');
      expect((await exchange(both().port, { method: 'HEAD', target })).status).toBe(200);
    }
  });
});

function allowed(header: string | undefined): string[] {
  return (header ?? '').split(/\s*,\s*/).sort();
}
