import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { useFixture } from './fixture-process.ts';
import {
  expectBothIds,
  expectError,
  expectOnlyInvocationId,
  expectPlatformHeaders,
  INVOCATION_ID,
  SESSION_ID,
  UUID,
} from './protocol-checks.ts';
import { verifies } from './verifies.ts';
import { exchange, get, post } from './wire.ts';

interface Seen {
  readonly invocationId: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly callId: string;
  readonly userIsolationKey: string;
  readonly chatIsolationKey: string;
  readonly clientHeaders: Record<string, string>;
  readonly bodyLength: number;
  readonly aborted: boolean;
}

describe('POST with a handler that echoes', () => {
  const echo = useFixture('echo');

  test(
    'the body comes back byte for byte with both ids',
    verifies('post:any-bytes', 'post:ids', 'host:no-authentication'),
    async () => {
      const body = randomBytes(4096);
      const answer = await post(echo().port, '/invocations', {
        body,
        headers: { 'content-type': 'image/x-unheard-of' },
      });
      expect(answer.status).toBe(200);
      expect(answer.header('content-type')).toBe('application/octet-stream');
      expect(answer.body.equals(body)).toBe(true);
      expectBothIds(answer);
      expectPlatformHeaders(answer);
      expect(answer.all('x-platform-error-source')).toEqual([]);
      expect(answer.all('server')).toEqual([]);
    },
  );

  test('an empty body and no content type are fine', verifies('post:any-bytes', 'host:no-server-header'), async () => {
    const answer = await post(echo().port, '/invocations');
    expect(answer.status).toBe(200);
    expect(answer.body.length).toBe(0);
    expect(answer.all('server')).toEqual([]);
    expect(answer.all('x-powered-by')).toEqual([]);
    const bare = await exchange(echo().port, 'POST /invocations HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(bare.status).toBe(200);
  });

  test.for([1, 16].map((mebibytes) => mebibytes * 1024 * 1024 + 1))(
    'a body of %d bytes passes',
    verifies('host:no-size-limit'),
    async (size) => {
      const body = randomBytes(size);
      const answer = await post(echo().port, '/invocations', { body });
      expect(answer.status).toBe(200);
      expect(answer.body.equals(body)).toBe(true);
    },
  );

  test.for([
    'text/plain; charset=utf-16',
    'application/json',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded',
    '*/*;;;',
    'é',
  ])('content type %s changes nothing', verifies('post:any-bytes'), async (type) => {
    const answer = await post(echo().port, '/invocations', { body: '{"half":', headers: { 'content-type': type } });
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('{"half":');
  });

  test.for(['a', 'A-b_c.d:9', 'x'.repeat(256), '-', '...', '::1', '0', '__proto__', 'constructor'])(
    'the invocation id %s is taken',
    verifies('id:rule', 'id:invocation:header'),
    async (id) => {
      const answer = await post(echo().port, '/invocations', { headers: { 'X-Agent-Invocation-ID': id } });
      expect(answer.header(INVOCATION_ID)).toBe(id);
    },
  );

  test.for([
    '',
    'x'.repeat(257),
    'a b',
    'a/b',
    'a,b',
    'a%20b',
    'ä',
    '\u00ff',
    'a\tb',
    '{a}',
    'a;b',
    'a"b',
    'a+b',
    'a@b',
    'a~b',
    'a#b',
    '\u00c3\u00bc',
  ])('the invocation id %j is replaced by a UUID', verifies('id:rule', 'id:invocation:replaced'), async (id) => {
    const answer = await post(echo().port, '/invocations', { headers: { [INVOCATION_ID]: id } });
    expect(answer.status).toBe(200);
    expect(answer.header(INVOCATION_ID)).toMatch(UUID);
  });

  test(
    'ids that are made up differ from request to request',
    verifies('id:invocation:replaced', 'id:session:replaced'),
    async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => post(echo().port, '/invocations')));
      const ids = answers.map(expectBothIds).flatMap(({ invocationId, sessionId }) => [invocationId, sessionId]);
      for (const id of ids) expect(id).toMatch(UUID);
      expect(new Set(ids).size).toBe(16);
    },
  );

  test('of two invocation ids the first counts, valid or not', verifies('header:repeated'), async () => {
    const valid = await post(echo().port, '/invocations', { headers: { [INVOCATION_ID]: ['one', 'two'] } });
    expect(valid.header(INVOCATION_ID)).toBe('one');
    const invalid = await post(echo().port, '/invocations', { headers: { [INVOCATION_ID]: ['not valid', 'two'] } });
    expect(invalid.header(INVOCATION_ID)).toMatch(UUID);
    const mixedCase = await exchange(
      echo().port,
      'POST /invocations HTTP/1.1\r\nHost: x\r\nX-AGENT-INVOCATION-ID: first\r\nx-agent-invocation-id: second\r\nContent-Length: 0\r\n\r\n',
    );
    expect(mixedCase.header(INVOCATION_ID)).toBe('first');
  });

  test(
    'blanks around a value are dropped and header names are case-insensitive',
    verifies('header:trimmed'),
    async () => {
      const answer = await exchange(
        echo().port,
        'POST /invocations HTTP/1.1\r\nHOST: x\r\nX-aGeNt-InVoCaTiOn-Id: \t padded \t \r\ncontent-LENGTH: 2\r\n\r\nhi',
      );
      expect(answer.header(INVOCATION_ID)).toBe('padded');
      expect(answer.text).toBe('hi');
    },
  );

  test.for([
    ['agent_session_id=abc', 'abc'],
    ['agent_session_id=a%3Ab', 'a:b'],
    ['agent%5Fsession%5Fid=x', 'x'],
    ['x=1&agent_session_id=s&y=2', 's'],
    ['agent_session_id=one&agent_session_id=two', 'two'],
    ['agent_session_id=bad%20one&agent_session_id=two', 'two'],
    [`agent_session_id=${'s'.repeat(256)}`, 's'.repeat(256)],
  ])(
    'query %s gives the session %s',
    verifies('id:session:query', 'query:repeated', 'query:decoding'),
    async ([query, session]) => {
      const answer = await post(echo().port, `/invocations?${query}`);
      expect(answer.header(SESSION_ID)).toBe(session);
    },
  );

  test.for([
    'agent_session_id=',
    'agent_session_id',
    'AGENT_SESSION_ID=abc',
    'agent_session_id=a+b',
    'agent_session_id=a%2Bb',
    'agent_session_id=a%20b',
    'agent_session_id=%zz',
    'agent_session_id=%FF',
    'agent_session_id=one&agent_session_id=',
    'agent_session_id=one&agent_session_id=not%2Fgood',
    'agent_session_id=abc%0D%0Ax-evil:%20yes',
    `agent_session_id=${'s'.repeat(257)}`,
    'agent_session_id=a;agent_session_id=b',
  ])(
    'query %s gives a new session',
    verifies('id:session:replaced', 'query:repeated', 'query:decoding', 'id:rule'),
    async (query) => {
      const answer = await post(echo().port, `/invocations?${query}`);
      expect(answer.status).toBe(200);
      expect(answer.header(SESSION_ID)).toMatch(UUID);
      expect(answer.all('x-evil')).toEqual([]);
    },
  );

  test('a session id that ends in a line feed is invalid', verifies('id:newline'), async () => {
    for (const query of ['agent_session_id=abc%0A', 'agent_session_id=abc%0a%0a', 'agent_session_id=%0Aabc']) {
      expect((await post(echo().port, `/invocations?${query}`)).header(SESSION_ID)).toMatch(UUID);
    }
  });

  test('a session id in a request header is ignored', verifies('id:session:header-ignored'), async () => {
    const answer = await post(echo().port, '/invocations', { headers: { [SESSION_ID]: 'from-client' } });
    expect(answer.header(SESSION_ID)).toMatch(UUID);
  });

  test('request headers of 15 KiB pass', verifies('host:header-budget'), async () => {
    const answer = await post(echo().port, '/invocations', {
      body: 'ok',
      headers: { 'x-client-long': 'h'.repeat(15 * 1024) },
    });
    expect(answer.text).toBe('ok');
  });
});

describe('the session of the environment', () => {
  const pinned = useFixture('info', { FOUNDRY_AGENT_SESSION_ID: 'env-session' });
  const invalid = useFixture('info', { FOUNDRY_AGENT_SESSION_ID: 'not valid' });

  test('is used when the query names none', verifies('env:session-id:default'), async () => {
    for (const target of [
      '/invocations',
      '/invocations?agent_session_id=',
      '/invocations?agent_session_id=a&agent_session_id=',
    ]) {
      const answer = await post(pinned().port, target);
      expect(answer.header(SESSION_ID)).toBe('env-session');
      expect((answer.json() as Seen).sessionId).toBe('env-session');
    }
    expect((await post(pinned().port, '/invocations?agent_session_id=query')).header(SESSION_ID)).toBe('query');
  });

  test('is not used when the query names an invalid one', verifies('id:session:replaced'), async () => {
    for (const session of ['no%20good', 'abc%0A', '%2F']) {
      const answer = await post(pinned().port, `/invocations?agent_session_id=${session}`);
      expect(answer.header(SESSION_ID)).toMatch(UUID);
    }
  });

  test('is replaced by a new UUID on every POST when invalid', verifies('env:session-id:invalid'), async () => {
    const first = await post(invalid().port, '/invocations');
    const second = await post(invalid().port, '/invocations');
    expect(first.header(SESSION_ID)).toMatch(UUID);
    expect(second.header(SESSION_ID)).toMatch(UUID);
    expect(first.header(SESSION_ID)).not.toBe(second.header(SESSION_ID));
    expect((second.json() as Seen).sessionId).toBe(second.header(SESSION_ID));
  });

  test('is the session of GET and cancel, after the query', verifies('id:path:session'), async () => {
    const cases = [
      ['', 'env-session'],
      ['?agent_session_id=q', 'q'],
      ['?agent_session_id=', 'env-session'],
      ['?agent_session_id=a&agent_session_id=b', 'b'],
      ['?agent_session_id=a&agent_session_id=', 'env-session'],
    ] as const;
    for (const [query, session] of cases) {
      const read = await get(pinned().port, `/invocations/i${query}`);
      const cancelled = await post(pinned().port, `/invocations/i/cancel${query}`);
      for (const answer of [read, cancelled]) {
        expect((answer.json() as Seen).sessionId).toBe(session);
        expectOnlyInvocationId(answer, 'i');
      }
    }
  });
});

describe('what the handler sees', () => {
  const info = useFixture('info');

  test(
    'the ids are those of the response headers',
    verifies('post:ids', 'id:invocation:header', 'id:session:query'),
    async () => {
      const answer = await post(info().port, '/invocations?agent_session_id=s9', {
        headers: { [INVOCATION_ID]: 'i9' },
        body: 'four',
      });
      expect(answer.json()).toEqual({
        invocationId: 'i9',
        sessionId: 's9',
        userId: '',
        callId: '',
        userIsolationKey: '',
        chatIsolationKey: '',
        clientHeaders: {},
        bodyLength: 4,
        aborted: false,
      } satisfies Seen);
      const made = await post(info().port, '/invocations', { headers: { [INVOCATION_ID]: 'not valid' } });
      const seen = made.json() as Seen;
      expect([seen.invocationId, seen.sessionId]).toEqual([made.header(INVOCATION_ID), made.header(SESSION_ID)]);
      expect(seen.aborted).toBe(false);
    },
  );

  test.for(['POST /invocations', 'GET /invocations/i', 'POST /invocations/i/cancel'])(
    'user and call id are in the context of %s',
    verifies('identity:current-call', 'identity:isolation-keys', 'header:repeated', 'header:client'),
    async (line) => {
      const [method = '', target = ''] = line.split(' ');
      const answer = await exchange(info().port, {
        method,
        target: `${target}?ms=5`,
        headers: {
          'X-Agent-User-Id': ['user-1', 'user-2'],
          'x-agent-foundry-call-id': ['call-1', 'call-2'],
          'x-agent-user-isolation-key': 'old-user',
          'x-agent-chat-isolation-key': ['old-chat', 'second'],
          'X-Client-Alpha': ['one', 'two'],
          'x-client-beta': 'ümläut',
          'x-clientele': 'no',
          'x-other': 'no',
        },
        ...(method === 'POST' ? { body: '' } : {}),
      });
      expect(answer.status).toBe(200);
      expect(answer.json()).toMatchObject({
        userId: 'user-1',
        callId: 'call-1',
        userIsolationKey: 'old-user',
        chatIsolationKey: 'old-chat',
        clientHeaders: { 'x-client-alpha': 'one', 'x-client-beta': 'ümläut' },
      });
      expect(Object.keys((answer.json() as Seen).clientHeaders).sort()).toEqual(['x-client-alpha', 'x-client-beta']);
    },
  );

  test(
    'without identity headers the fields are empty and nothing is refused',
    verifies('identity:absent'),
    async () => {
      for (const ask of [{ method: 'POST', target: '/invocations', body: '' }, { target: '/invocations/i' }]) {
        const answer = await exchange(info().port, ask);
        expect(answer.status).toBe(200);
        expect(answer.json()).toMatchObject({ userId: '', callId: '', userIsolationKey: '', chatIsolationKey: '' });
      }
    },
  );

  test(
    'overlapping requests keep ids and identity apart',
    verifies('identity:apart', 'host:no-concurrency-limit'),
    async () => {
      const numbers = Array.from({ length: 40 }, (_, index) => index);
      await Promise.all(
        numbers.map(async (n) => {
          const answer = await post(info().port, `/invocations?agent_session_id=s${n}&ms=${20 + ((n * 7) % 40)}`, {
            headers: {
              [INVOCATION_ID]: `i${n}`,
              'x-agent-user-id': `u${n}`,
              'x-agent-foundry-call-id': `c${n}`,
              'x-client-n': `${n}`,
            },
            body: 'b'.repeat(n),
          });
          expect(answer.json()).toMatchObject({
            invocationId: `i${n}`,
            sessionId: `s${n}`,
            userId: `u${n}`,
            callId: `c${n}`,
            clientHeaders: { 'x-client-n': `${n}` },
            bodyLength: n,
          });
          expect(answer.header(INVOCATION_ID)).toBe(`i${n}`);
        }),
      );
    },
  );

  test('requests overlap instead of waiting in a row', verifies('host:no-concurrency-limit'), async () => {
    const started = performance.now();
    await Promise.all(Array.from({ length: 30 }, () => post(info().port, '/invocations?ms=400&agent_session_id=same')));
    expect(performance.now() - started, '30 × 400 ms in a row would be 12 s').toBeLessThan(6000);
  });

  test(
    'GET and cancel get the decoded path id and answer with it alone',
    verifies('get:handler', 'get:headers', 'cancel:handler', 'cancel:headers'),
    async () => {
      for (const [encoded, id] of [
        ['%61bc', 'abc'],
        ['a%3Ab', 'a:b'],
        ['A-b_c.d:9', 'A-b_c.d:9'],
        ['x'.repeat(256), 'x'.repeat(256)],
      ]) {
        const read = await get(info().port, `/invocations/${encoded}`);
        const cancelled = await post(info().port, `/invocations/${encoded}/cancel`);
        for (const answer of [read, cancelled]) {
          expect(answer.status).toBe(200);
          expect((answer.json() as Seen).invocationId).toBe(id);
          expectOnlyInvocationId(answer, id ?? '');
        }
      }
    },
  );

  test('an invalid path id becomes a UUID in the header and for the handler', verifies('id:path:invalid'), async () => {
    const invalid = [
      'a%20b',
      'a%0D%0Ab',
      'abc%0A',
      '%E4%B8%96',
      '%FF',
      'a+b',
      'a@b',
      '%F0%9F%98%80',
      'x'.repeat(257),
      'a%00',
    ];
    for (const id of invalid) {
      const read = await get(info().port, `/invocations/${id}`);
      const cancelled = await post(info().port, `/invocations/${id}/cancel`);
      for (const answer of [read, cancelled]) {
        expect(answer.status, id).toBe(200);
        expect(answer.header(INVOCATION_ID), id).toMatch(UUID);
        expect((answer.json() as Seen).invocationId).toBe(answer.header(INVOCATION_ID));
        expect(answer.all(SESSION_ID)).toEqual([]);
      }
    }
  });

  test('the invocation id header of GET and cancel is ignored', verifies('get:handler', 'cancel:handler'), async () => {
    const headers = { [INVOCATION_ID]: 'from-header' };
    expectOnlyInvocationId(await get(info().port, '/invocations/from-path', { headers }), 'from-path');
    expectOnlyInvocationId(await post(info().port, '/invocations/from-path/cancel', { headers }), 'from-path');
  });

  test(
    'without query and environment the session of GET and cancel is empty',
    verifies('id:path:session'),
    async () => {
      for (const target of ['/invocations/i', '/invocations/i?agent_session_id=']) {
        expect(((await get(info().port, target)).json() as Seen).sessionId).toBe('');
      }
      expect(((await post(info().port, '/invocations/i/cancel')).json() as Seen).sessionId).toBe('');
      expect(((await post(info().port, '/invocations/i/cancel?agent_session_id=q')).json() as Seen).sessionId).toBe(
        'q',
      );
    },
  );

  test(
    'a large body waits for a handler that reads it late',
    verifies('post:any-bytes', 'host:no-size-limit'),
    async () => {
      const body = Buffer.alloc(5 * 1024 * 1024, 'l');
      const answer = await post(info().port, '/invocations?ms=300', { body });
      expect((answer.json() as Seen).bodyLength).toBe(body.length);
    },
  );

  test(
    'HEAD reaches the GET handler and answers with its headers alone',
    verifies('route:head', 'get:headers'),
    async () => {
      const answer = await exchange(info().port, { method: 'HEAD', target: '/invocations/h1' });
      expect([answer.status, answer.header('content-type')]).toEqual([200, 'application/json']);
      expectOnlyInvocationId(answer, 'h1');
    },
  );

  test('a GET that carries a body is a GET all the same', verifies('get:handler', 'conn:unread-body'), async () => {
    const answer = await exchange(info().port, { method: 'GET', target: '/invocations/i', body: 'surprise' });
    expect(answer.status).toBe(200);
    expect((answer.json() as Seen).invocationId).toBe('i');
  });

  test(
    'whatever is sent as an id, the rule decides and nothing breaks',
    verifies('id:rule', 'id:path:invalid', 'id:session:replaced'),
    async () => {
      const valid = /^[A-Za-z0-9\-_.:]{1,256}$/;
      const byte = fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f);
      const latin1 = fc.array(byte, { maxLength: 12 }).map((codes) => String.fromCharCode(...codes));
      const mostlyValid = fc.stringMatching(/^[A-Za-z0-9\-_.:]{1,12}$/);
      const anyText = fc.oneof(mostlyValid, latin1, fc.string({ unit: 'binary', maxLength: 8 }));
      await fc.assert(
        fc.asyncProperty(fc.oneof(mostlyValid, latin1), anyText, async (header, text) => {
          const query = encodeURIComponent(text.toWellFormed());
          const answer = await post(info().port, `/invocations?agent_session_id=${query}`, {
            headers: { [INVOCATION_ID]: header },
          });
          const asked = header.replace(/^[ \t]+|[ \t]+$/g, '');
          expect(answer.status).toBe(200);
          if (valid.test(asked)) expect(answer.header(INVOCATION_ID)).toBe(asked);
          else expect(answer.header(INVOCATION_ID)).toMatch(UUID);
          if (valid.test(text)) expect(answer.header(SESSION_ID)).toBe(text);
          else expect(answer.header(SESSION_ID)).toMatch(UUID);
          if (query === '' || text.includes('/')) return;
          const read = await get(info().port, `/invocations/${query}`);
          expect(read.status).toBe(200);
          expectOnlyInvocationId(read, valid.test(text) ? text : UUID);
        }),
        { numRuns: 200 },
      );
    },
  );
});

describe('handlers that fail', () => {
  const boom = useFixture('boom');
  const nyi = useFixture('nyi');
  const plat = useFixture('plat');
  const json = useFixture('json');
  const undef = useFixture('undef');

  test(
    'an exception in POST is 500 and leaks nothing',
    verifies('post:exception', 'post:ids', 'error:body', 'header:error-source'),
    async () => {
      const answer = await post(boom().port, '/invocations?agent_session_id=s', {
        headers: { [INVOCATION_ID]: 'i' },
        body: 'x',
      });
      expectError(answer, { status: 500, code: 'internal_error', message: 'Internal server error' });
      expect([answer.header(INVOCATION_ID), answer.header(SESSION_ID)]).toEqual(['i', 's']);
      expect(JSON.stringify(answer.headers) + answer.text).not.toContain('secret-detail-42');
    },
  );

  test(
    'an exception in GET and cancel is 500 and leaks nothing',
    verifies('get:exception', 'cancel:exception'),
    async () => {
      for (const answer of [
        await get(boom().port, '/invocations/i'),
        await post(boom().port, '/invocations/i/cancel'),
      ]) {
        expectError(answer, { status: 500, code: 'internal_error', message: 'Internal server error' });
        expectOnlyInvocationId(answer, 'i');
        expect(JSON.stringify(answer.headers) + answer.text).not.toContain('secret-detail-42');
      }
    },
  );

  test('NotImplementedError is 501 with its text on POST', verifies('post:not-implemented', 'post:ids'), async () => {
    const answer = await post(nyi().port, '/invocations');
    expectError(answer, { status: 501, code: 'not_implemented', message: 'later' });
    expectBothIds(answer);
  });

  test(
    'NotImplementedError is a plain 500 on GET and cancel',
    verifies('get:exception', 'cancel:exception'),
    async () => {
      for (const answer of [await get(nyi().port, '/invocations/i'), await post(nyi().port, '/invocations/i/cancel')]) {
        expectError(answer, { status: 500, code: 'internal_error', message: 'Internal server error' });
        expectOnlyInvocationId(answer, 'i');
      }
    },
  );

  test.for(['', '{', '{"name":', 'null', 'NaN'])(
    'JSON %j that the handler cannot use is 500',
    verifies('post:malformed-json'),
    async (body) => {
      const answer = await post(json().port, '/invocations', { body, headers: { 'content-type': 'application/json' } });
      expectError(answer, { status: 500, code: 'internal_error', message: 'Internal server error' });
      expectBothIds(answer);
    },
  );

  test('JSON that the handler can use is answered', verifies('post:passthrough'), async () => {
    const answer = await post(json().port, '/invocations', { body: '{"name":"Ada"}' });
    expect(answer.json()).toEqual({ greeting: 'Hello, Ada!' });
    expect(answer.header('content-type')).toBe('application/json');
  });

  test('a handler that returns nothing is 500', verifies('post:not-a-response'), async () => {
    const answer = await post(undef().port, '/invocations');
    expectError(answer, { status: 500, code: 'internal_error', message: 'Internal server error' });
    expectBothIds(answer);
  });

  test.for(['POST /invocations', 'GET /invocations/i', 'POST /invocations/i/cancel'])(
    'a platform error of %s is marked with its detail',
    verifies('post:platform-error', 'get:exception', 'cancel:exception', 'header:error-detail', 'header:error-source'),
    async (line) => {
      const [method = '', target = ''] = line.split(' ');
      const answer = await exchange(plat().port, {
        method,
        target,
        body: '',
        headers: { 'x-client-msg': 'disk on fire' },
      });
      expectError(answer, {
        status: 500,
        code: 'internal_error',
        message: 'Internal server error',
        source: 'platform',
      });
      expect(answer.header('x-platform-error-detail')).toBe('StorageError: disk on fire');
      if (target === '/invocations') expectBothIds(answer);
      else expectOnlyInvocationId(answer, 'i');
    },
  );

  test.for([
    ['a\\r\\nx-evil: yes', 'StorageError: a  x-evil: yes'],
    ['a\\u0000b\\tc\\u007fd\\u001be', 'StorageError: a b c d e'],
    ['caf\\u00e9 \\u00ff', 'StorageError: café ÿ'],
    ['\\u4e16\\u754c \\u20ac', 'StorageError: ?? ?'],
    ['pile \\ud83d\\ude00 up', 'StorageError: pile ? up'],
  ])('the detail of %s is made safe', verifies('header:error-detail:safe'), async ([escaped = '', detail]) => {
    const answer = await post(plat().port, '/invocations', { headers: { 'x-client-msg': escaped } });
    expectError(answer, { status: 500, code: 'internal_error', source: 'platform' });
    expect(answer.header('x-platform-error-detail')).toBe(detail);
    expect(answer.all('x-evil')).toEqual([]);
  });

  test('an empty message leaves the type', verifies('header:error-detail'), async () => {
    const answer = await post(plat().port, '/invocations');
    expectError(answer, { status: 500, code: 'internal_error', source: 'platform' });
    expect(answer.header('x-platform-error-detail')).toMatch(/^StorageError:?$/);
  });

  test.for([
    [2047, false],
    [2048, false],
    [2049, true],
    [9000, true],
  ] as const)('a detail of %d characters is cut: %s', verifies('header:error-detail:limit'), async ([length, cut]) => {
    const message = 'd'.repeat(length - 'StorageError: '.length);
    const answer = await post(plat().port, '/invocations', { headers: { 'x-client-msg': message } });
    const whole = `StorageError: ${message}`;
    const expected = cut ? `${whole.slice(0, 2048 - 14)}...[truncated]` : whole;
    expect(answer.header('x-platform-error-detail')).toBe(expected);
    expect(answer.header('x-platform-error-detail')?.length).toBeLessThanOrEqual(2048);
  });

  test(
    'the detail is made safe before it is cut',
    verifies('header:error-detail:safe', 'header:error-detail:limit'),
    async () => {
      const answer = await post(plat().port, '/invocations', {
        headers: { 'x-client-msg': '\\ud83d\\ude00'.repeat(1200) },
      });
      expect(answer.header('x-platform-error-detail')).toBe(`StorageError: ${'?'.repeat(1200)}`);
    },
  );
});

describe('what the handler returns', () => {
  const status = useFixture('status');
  const hostile = useFixture('hostile');
  const store = useFixture('store');

  test.for([200, 201, 202, 400, 401, 404, 405, 409, 418, 422, 429, 500, 501, 502, 503, 599])(
    'status %d passes untouched',
    verifies('post:passthrough', 'header:error-source'),
    async (code) => {
      const answer = await post(status().port, `/invocations?s=${code}`);
      expect(answer.status).toBe(code);
      expect(answer.text).toBe('custom');
      expect(answer.header('content-type')).toMatch(/^text\/plain/);
      expect(answer.all('x-platform-error-source')).toEqual([]);
      expectBothIds(answer);
      expectPlatformHeaders(answer);
    },
  );

  test.for([204, 304])(
    'status %d has no body and keeps the connection in step',
    verifies('post:passthrough', 'conn:keep-alive'),
    async (code) => {
      const answer = await post(status().port, `/invocations?s=${code}`);
      expect(answer.status).toBe(code);
      expect(answer.body.length).toBe(0);
      expectBothIds(answer);
    },
  );

  test('id headers of the handler are overwritten', verifies('post:ids:overwrite'), async () => {
    const answer = await post(hostile().port, '/invocations?agent_session_id=s', { headers: { [INVOCATION_ID]: 'i' } });
    expect(answer.text).toBe('x');
    expect([answer.header(INVOCATION_ID), answer.header(SESSION_ID)]).toEqual(['i', 's']);
    const made = await post(hostile().port, '/invocations');
    expect(made.header(INVOCATION_ID)).toMatch(UUID);
    expect(made.header(SESSION_ID)).toMatch(UUID);
  });

  test(
    'a stored invocation is read, cancelled once, and then gone',
    verifies('get:handler', 'cancel:handler', 'cancel:no-registry'),
    async () => {
      const headers = { [INVOCATION_ID]: 'kept-1' };
      await post(store().port, '/invocations', { headers, body: 'bytes' });
      const read = await get(store().port, '/invocations/kept-1');
      expect([read.status, read.text, read.header('content-type')]).toEqual([200, 'bytes', 'application/octet-stream']);
      expectOnlyInvocationId(read, 'kept-1');
      const cancels = await Promise.all([1, 2].map(() => post(store().port, '/invocations/kept-1/cancel')));
      expect(cancels.map((answer) => answer.status).sort()).toEqual([200, 404]);
      const gone = await get(store().port, '/invocations/kept-1');
      expect(gone.text).toBe('{"error":{"code":"not_found","message":"Not found"}}');
      expect(gone.all('x-platform-error-source')).toEqual([]);
      expectOnlyInvocationId(gone, 'kept-1');
    },
  );

  test('cancel aborts nothing: the running handler finishes', verifies('cancel:no-registry'), async () => {
    const running = post(store().port, '/invocations?ms=400', { headers: { [INVOCATION_ID]: 'runs' }, body: 'on' });
    for (;;) {
      const cancelled = await post(store().port, '/invocations/runs/cancel');
      if (cancelled.status === 200) {
        expect(cancelled.json()).toEqual({ status: 'cancelled' });
        break;
      }
    }
    const answer = await running;
    expect([answer.status, answer.text]).toEqual([200, 'on']);
  });

  test(
    'the same invocation id may be posted twice',
    verifies('cancel:no-registry', 'id:invocation:header'),
    async () => {
      const headers = { [INVOCATION_ID]: 'twice' };
      const answers = await Promise.all(
        ['a', 'b'].map((body) => post(store().port, '/invocations?ms=50', { headers, body })),
      );
      expect(answers.map((answer) => answer.text)).toEqual(['a', 'b']);
    },
  );
});
