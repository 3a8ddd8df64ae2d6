import { randomBytes } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { pause, useFixture, withFixture } from './fixture-process.ts';
import { expectBothIds, expectPlatformHeaders, INVOCATION_ID, UUID } from './protocol-checks.ts';
import { verifies } from './verifies.ts';
import { exchange, get, post, requestBytes, Wire } from './wire.ts';

describe('connections', () => {
  const echo = useFixture('echo');
  const boom = useFixture('boom');
  const sse = useFixture('sse');

  test('the server listens on every interface', verifies('host:bind:all-interfaces'), async () => {
    const wire = await Wire.open(echo().port, '127.0.0.99');
    wire.ask({ target: '/readiness' });
    expect((await wire.answer()).status).toBe(200);
    wire.close();
  });

  test('one connection serves requests one after another', verifies('conn:keep-alive'), async () => {
    const wire = await Wire.open(echo().port);
    for (const n of [1, 2, 3, 4, 5]) {
      wire.ask({ method: 'POST', target: '/invocations', headers: { [INVOCATION_ID]: `k${n}` }, body: `body ${n}` });
      const answer = await wire.answer('POST');
      expect([answer.text, answer.header(INVOCATION_ID)]).toEqual([`body ${n}`, `k${n}`]);
    }
    wire.close();
  });

  test('pipelined requests are answered in order', verifies('conn:keep-alive'), async () => {
    await withFixture('slow', {}, async (slow) => {
      const wire = await Wire.open(slow.port);
      const asks = [150, 0, 50, 0].map((ms, n) =>
        requestBytes({
          method: 'POST',
          target: `/invocations?ms=${ms}`,
          headers: { [INVOCATION_ID]: `p${n}` },
          body: 'x',
        }),
      );
      wire.write(Buffer.concat([...asks, requestBytes({ target: '/nope' }), requestBytes({ target: '/readiness' })]));
      for (const n of [0, 1, 2, 3]) {
        const answer = await wire.answer('POST');
        expect([answer.text, answer.header(INVOCATION_ID)]).toEqual(['done', `p${n}`]);
      }
      expect((await wire.answer()).status).toBe(404);
      expect((await wire.answer()).text).toBe('{"status":"healthy"}');
      wire.close();
    });
  });

  test('connection: close is honoured', verifies('conn:keep-alive'), async () => {
    const wire = await Wire.open(echo().port);
    wire.ask({ method: 'POST', target: '/invocations', headers: { connection: 'close' }, body: 'x' });
    expect((await wire.answer('POST')).text).toBe('x');
    await wire.end();
  });

  test('an HTTP/1.0 request is answered and the connection ended', verifies('conn:http10'), async () => {
    const wire = await Wire.open(echo().port);
    wire.write('POST /invocations HTTP/1.0\r\nContent-Length: 3\r\n\r\nold');
    const answer = await wire.answer('POST');
    expect([answer.status, answer.text]).toEqual([200, 'old']);
    expectBothIds(answer);
    await wire.end();
  });

  test('a stream to an HTTP/1.0 client is not chunked', verifies('conn:http10'), async () => {
    const wire = await Wire.open(sse().port);
    wire.write('POST /invocations?n=2 HTTP/1.0\r\nHost: x\r\n\r\n');
    const answer = await wire.answer('POST');
    expect(answer.all('transfer-encoding')).toEqual([]);
    expect(answer.text).toBe('data: 1\n\ndata: 2\n\n');
    wire.close();
  });

  test('a split request is put together again', verifies('host:no-request-timeout'), async () => {
    const wire = await Wire.open(echo().port);
    const bytes = requestBytes({ method: 'POST', target: '/invocations', body: 'slow upload' });
    for (const byte of bytes) {
      wire.write(Buffer.from([byte]));
      await pause(1);
    }
    expect((await wire.answer('POST')).text).toBe('slow upload');
    wire.close();
  });

  test('no timer of the server cuts requests', verifies('host:no-request-timeout'), async () => {
    // A probe in front of the program prints the limits of the server that starts listening.
    const probe = `import http from 'node:http'; import net from 'node:net';
      const listen = net.Server.prototype.listen;
      net.Server.prototype.listen = function (...given) {
        if (this instanceof http.Server) setImmediate(() => setImmediate(() =>
          process.stdout.write('limits ' + JSON.stringify({ request: this.requestTimeout, idle: this.timeout, headers: this.headersTimeout }) + '\\n')));
        return listen.apply(this, given);
      };`;
    const options = `--import=data:text/javascript,${encodeURIComponent(probe)}`;
    await withFixture('echo', { NODE_OPTIONS: options }, async (fixture) => {
      // It prints when it listens, which a client may see before what it has printed.
      const limits = await vi.waitUntil(() => /limits (\{.*\})/.exec(fixture.output())?.[1], { timeout: 10_000 });
      const { request, idle, headers } = JSON.parse(limits) as Record<string, number>;
      expect([request, idle]).toEqual([0, 0]);
      expect(headers).toBeGreaterThan(0);
    });
  });

  test('a chunked request body arrives whole', verifies('conn:chunked-upload'), async () => {
    const body = randomBytes(300_000);
    const wire = await Wire.open(echo().port);
    wire.ask({ method: 'POST', target: '/invocations', headers: { 'transfer-encoding': 'chunked' } });
    for (let at = 0; at < body.length; at += 70_001) {
      const part = body.subarray(at, at + 70_001);
      wire.write(`${part.length.toString(16)};ext=1\r\n`);
      wire.write(part);
      wire.write('\r\n');
    }
    wire.write('0\r\nx-trailer: yes\r\n\r\n');
    const answer = await wire.answer('POST');
    expect(answer.body.equals(body)).toBe(true);
    wire.ask({ target: '/readiness' });
    expect((await wire.answer()).status).toBe(200);
    wire.close();
  });

  test('Expect: 100-continue gets the interim response', verifies('conn:expect-continue'), async () => {
    const wire = await Wire.open(echo().port);
    wire.ask({ method: 'POST', target: '/invocations', headers: { expect: '100-continue', 'content-length': '5' } });
    const interim = await wire.some();
    expect(interim?.toString('latin1')).toMatch(/^HTTP\/1\.1 100 /);
    wire.write('hello');
    const answer = await wire.answer('POST');
    expect([answer.status, answer.text]).toEqual([200, 'hello']);
    wire.close();
  });

  test(
    'a large body nobody reads harms neither its response nor the next request',
    verifies('conn:unread-body'),
    async () => {
      const body = Buffer.alloc(3 * 1024 * 1024, 'x');
      for (const [fixture, target, method, status] of [
        [boom, '/invocations', 'POST', 500],
        [echo, '/invocations', 'PUT', 405],
        [echo, '/nope', 'POST', 404],
        [echo, '/invocations/i/cancel', 'POST', 404],
      ] as const) {
        const answer = await exchange(fixture().port, { method, target, body });
        expect(answer.status).toBe(status);
        expect(answer.complete).toBe(true);
        const wire = await Wire.open(fixture().port);
        wire.ask({ method, target, body: Buffer.alloc(40_000, 'y') });
        const first = await wire.answer(method);
        expect(first.status).toBe(status);
        if (first.header('connection') !== 'close') {
          wire.ask({ target: '/readiness' });
          expect((await wire.answer()).text).toBe('{"status":"healthy"}');
        }
        wire.close();
      }
    },
  );

  test.for(['http://elsewhere.test', 'http://elsewhere.test:99', 'HTTP://x', 'https://user@x'])(
    'the absolute form %s/… is understood',
    verifies('conn:absolute-form'),
    async (origin) => {
      const posted = await post(echo().port, `${origin}/invocations?agent_session_id=abs`, { body: 'absolute' });
      expect([posted.status, posted.text]).toEqual([200, 'absolute']);
      expect(posted.header('x-agent-session-id')).toBe('abs');
      expect((await get(echo().port, `${origin}/nope`)).status).toBe(404);
      expect((await get(echo().port, `${origin}//invocations`)).status).toBe(404);
    },
  );

  test.for([
    '',
    'x',
    'EXAMPLE.test:8088',
    '[::1]',
    '[fe80::1]:80',
    'under_score',
    'a..b',
    'xn--bcher-kva',
    '1.2.3.4:65535',
    'localhost:',
    "!$&'",
    '%41',
  ])('the host %j is served', verifies('conn:host-untrusted'), async (host) => {
    const answer = await post(echo().port, '/invocations?agent_session_id=s', { headers: { host }, body: 'hosted' });
    expect([answer.status, answer.text, answer.header('x-agent-session-id')]).toEqual([200, 'hosted', 's']);
  });

  test.for(['a:b', 'x:99999', 'a/b', 'a?b', 'a#b', 'user@host', 'a b', '[::1', '<x>', '/readiness'])(
    'the malformed host %j is served or refused, and changes no path',
    verifies('conn:host-untrusted'),
    async (host) => {
      const answer = await post(echo().port, '/invocations?agent_session_id=s', { headers: { host }, body: 'hosted' });
      expect([200, 400]).toContain(answer.status);
      if (answer.status === 200) expect([answer.text, answer.header('x-agent-session-id')]).toEqual(['hosted', 's']);
    },
  );

  test(
    'HTTP/1.1 without a host is refused or served, and nothing breaks',
    verifies('conn:host-untrusted'),
    async () => {
      const answer = await exchange(echo().port, 'GET /readiness HTTP/1.1\r\n\r\n');
      expect([200, 400]).toContain(answer.status);
      const old = await exchange(echo().port, 'GET /readiness HTTP/1.0\r\n\r\n');
      expect(old.status).toBe(200);
      const slash = await exchange(echo().port, 'GET /readiness/ HTTP/1.0\r\n\r\n');
      expect(slash.status).toBe(307);
      expectPlatformHeaders(slash);
    },
  );

  test.for([
    { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAARAAAAAAAIAAAAA' },
    { connection: 'upgrade', upgrade: 'foo/2' },
    { connection: 'keep-alive, Upgrade', upgrade: 'TLS/1.0' },
    { upgrade: 'websocket' },
  ] as Record<string, string>[])(
    'the upgrade offer %j is ignored',
    verifies('conn:upgrade-ignored', 'host:http1-only'),
    async (headers) => {
      const wire = await Wire.open(echo().port);
      for (const body of ['first', 'second']) {
        wire.ask({ method: 'POST', target: '/invocations', headers, body });
        const answer = await wire.answer('POST');
        expect([answer.status, answer.text]).toEqual([200, body]);
        expectBothIds(answer);
      }
      wire.ask({ target: '/readiness', headers });
      expect((await wire.answer()).text).toBe('{"status":"healthy"}');
      wire.close();
    },
  );

  test('the HTTP/2 preface gets no HTTP/2', verifies('host:http1-only'), async () => {
    const wire = await Wire.open(echo().port);
    wire.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    wire.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    const first = await wire.some();
    wire.close();
    expect(first === undefined || first.toString('latin1').startsWith('HTTP/1.')).toBe(true);
    expect((await get(echo().port, '/readiness')).status).toBe(200);
  });

  test.for([
    'GARBAGE\r\n\r\n',
    'GET /readiness HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n',
    'GET /readiness HTTP/9.9\r\nhost: x\r\n\r\n',
    'POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: abc\r\n\r\n',
    'POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd',
    'POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /invocations HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n',
    `GET /readiness HTTP/1.1\r\nhost: x\r\nx-long: ${'h'.repeat(300_000)}\r\n\r\n`,
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    '\x00\x00\x00\x00',
  ])('broken HTTP number %# ends its own connection and no other', verifies('conn:broken-http'), async (bytes) => {
    const other = await Wire.open(echo().port);
    const wire = await Wire.open(echo().port);
    wire.write(bytes);
    const all: Buffer[] = [];
    for (let part = await wire.some(); part !== undefined; part = await wire.some()) all.push(part);
    const text = Buffer.concat(all).toString('latin1');
    expect(text === '' || /^HTTP\/1\.1 [45]\d\d /.test(text), text).toBe(true);
    other.ask({ target: '/readiness' });
    expect((await other.answer()).status).toBe(200);
    other.close();
  });

  test.for(['reset', 'close'] as const)(
    'an upload that ends early by %s reaches nobody as whole and is no ERROR',
    verifies('conn:broken-http', 'disconnect:quiet'),
    async (leave) => {
      for (const framing of ['content-length: 1000', 'transfer-encoding: chunked']) {
        const id = `cut-${leave}-${framing.length}`;
        const wire = await Wire.open(echo().port);
        const start = `POST /invocations HTTP/1.1\r\nhost: x\r\nx-request-id: ${id}\r\n${framing}\r\n\r\n`;
        wire.write(`${start}${framing.startsWith('t') ? 'ff\r\n' : ''}only this`);
        await echo().record(({ message }) => message.includes(id), 'of its start');
        wire[leave]();
        await echo().record(({ message }) => message.includes(id) && !/started/i.test(message), 'of its end');
      }
      expect((await get(echo().port, '/readiness')).status).toBe(200);
      expect(
        echo()
          .records()
          .filter(({ level }) => level === 'ERROR')
          .map(({ message }) => message),
      ).toEqual([]);
    },
  );

  test(
    'a very long path, odd bytes and many headers are no trouble',
    verifies('host:header-budget', 'conn:odd-methods'),
    async () => {
      const long = await get(echo().port, `/invocations/${'x'.repeat(8000)}`);
      expect(long.status).toBe(404);
      expect(long.header(INVOCATION_ID)).toMatch(UUID);
      const many = Object.fromEntries(Array.from({ length: 150 }, (_, n) => [`x-client-${n}`, `${n}`]));
      expect((await post(echo().port, '/invocations', { headers: many, body: 'many' })).text).toBe('many');
      for (const target of [
        '/invocations/\xe9',
        '/\xff\xfe',
        '/invocations/a"b<c>',
        '/invocations/{x}',
        '/invocations?q=\xe9&agent_session_id=s',
        '/readiness?x=\\y',
      ]) {
        const answer = await get(echo().port, target);
        expect([200, 400, 404, 405], target).toContain(answer.status);
      }
      expect((await get(echo().port, '/readiness')).status).toBe(200);
    },
  );

  test('many connections at once are all served', verifies('host:no-concurrency-limit'), async () => {
    const wires = await Promise.all(Array.from({ length: 200 }, () => Wire.open(echo().port)));
    for (const [n, wire] of wires.entries()) wire.ask({ method: 'POST', target: '/invocations', body: `n${n}` });
    const answers = await Promise.all(wires.map((wire) => wire.answer('POST')));
    expect(answers.map((answer) => answer.text)).toEqual(wires.map((_, n) => `n${n}`));
    for (const wire of wires) wire.close();
  });
});
