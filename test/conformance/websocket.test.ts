import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type FixtureProcess, pause, until, useFixture } from './fixture-process.ts';
import type { LogRecord } from './log-record.ts';
import { HEX_32, SEGMENT, SESSION_ID, UUID } from './protocol-checks.ts';
import { closeOf, closePayload, frameBytes, OPCODE, SocketWire, WEBSOCKET_HEADERS } from './socket-wire.ts';
import { verifies } from './verifies.ts';
import { exchange, get, post, Wire } from './wire.ts';

const FIELD = 'azure.ai.agentserver.invocations_ws';
const MIB = 1024 * 1024;
const KEY = { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };

describe('the handshake', () => {
  const echo = useFixture('wsecho');
  const none = useFixture('wsnone');
  const pinned = useFixture('wsinfo', { FOUNDRY_AGENT_SESSION_ID: 'env-ws' });
  const invalid = useFixture('wsret', { FOUNDRY_AGENT_SESSION_ID: 'not valid' });

  test(
    'is answered with the platform and session headers and no invocation id',
    verifies('ws:handshake-headers'),
    async () => {
      const socket = await SocketWire.open(echo().port, '/invocations_ws', { 'x-request-id': 'mine' });
      for (const segment of (socket.head.header('x-platform-server') ?? '').split(/(?<=\)) /))
        expect(segment).toMatch(SEGMENT);
      expect(socket.head.header(SESSION_ID)).toMatch(UUID);
      expect(socket.head.all('x-agent-invocation-id')).toEqual([]);
      const record = await closeRecord(echo(), socket, () => socket.close(1000));
      expect(record.field(`${FIELD}.session_id`)).toBe(socket.head.header(SESSION_ID));
    },
  );

  test('comes before the handler does anything', verifies('ws:accept-first'), async () => {
    const socket = await SocketWire.open(echo().port, '/invocations_ws?wait=60000');
    socket.wire.close();
  });

  test('selects no subprotocol and looks at neither origin nor credentials', verifies('ws:accept-first'), async () => {
    const socket = await SocketWire.open(echo().port, '/invocations_ws', {
      'sec-websocket-protocol': 'graphql-ws, chat',
      origin: 'https://evil.example',
      authorization: 'Bearer nonsense',
      'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits',
    });
    expect(socket.head.all('sec-websocket-protocol')).toEqual([]);
    socket.send(OPCODE.text, 'hi');
    expect(await socket.text()).toBe('hi');
    socket.wire.close();
  });

  test('is case-insensitive where HTTP is', verifies('ws:accept-first'), async () => {
    const socket = await SocketWire.open(echo().port, '/invocations_ws?a=b', {
      connection: 'keep-alive, UPGRADE',
      upgrade: 'WebSocket',
    });
    socket.send(OPCODE.text, 'hi');
    expect(await socket.text()).toBe('hi');
    socket.wire.close();
  });

  test(
    'takes the session of the environment, never of the query',
    verifies('ws:session-id', 'ws:handshake-headers'),
    async () => {
      const socket = await SocketWire.open(pinned().port, '/invocations_ws?agent_session_id=query');
      expect(socket.head.header(SESSION_ID)).toBe('env-ws');
      const record = await closeRecord(pinned(), socket);
      expect(record.field(`${FIELD}.session_id`)).toBe('env-ws');
      const other = await SocketWire.open(echo().port, '/invocations_ws?agent_session_id=query', {
        [SESSION_ID]: 'header',
      });
      expect(other.head.header(SESSION_ID)).toMatch(UUID);
      other.wire.close();
    },
  );

  test('replaces an invalid session of the environment', verifies('ws:session-id'), async () => {
    const ids = [];
    for (let n = 0; n < 2; n += 1) {
      const socket = await SocketWire.open(invalid().port);
      ids.push(socket.head.header(SESSION_ID));
      socket.wire.close();
    }
    for (const id of ids) expect(id).toMatch(UUID);
    expect(new Set(ids).size).toBe(2);
  });

  test('is 404 without a handler', verifies('ws:no-handler'), async () => {
    const answer = await get(none().port, '/invocations_ws', { headers: { ...WEBSOCKET_HEADERS, ...KEY } });
    expect(answer.status).toBe(404);
    expect(answer.header('x-platform-server')).toMatch(SEGMENT);
    expect(answer.header('x-request-id')).toMatch(HEX_32);
    expect(
      none()
        .records()
        .filter((record) => record.level === 'ERROR'),
    ).toEqual([]);
    expect((await post(none().port, '/invocations', { body: 'http lives' })).text).toBe('http lives');
  });

  test.for([
    '/',
    '/invocations',
    '/invocations_ws/',
    '/invocations_ws/x',
    '/invocations/abc',
    '/readiness',
    '/nope',
    '//invocations_ws',
    '/INVOCATIONS_WS',
  ])('is 404 on %s', verifies('ws:wrong-path'), async (target) => {
    const answer = await get(echo().port, target, { headers: { ...WEBSOCKET_HEADERS, ...KEY } });
    expect(answer.status).toBe(404);
    expect(answer.complete).toBe(true);
  });

  test.for([
    ['no key', 'GET', {}],
    ['a short key', 'GET', { 'sec-websocket-key': 'c2hvcnQ=' }],
    ['no version', 'GET', { ...KEY, 'sec-websocket-version': '' }],
    ['version 8', 'GET', { ...KEY, 'sec-websocket-version': '7' }],
    ['method POST', 'POST', KEY],
    ['method HEAD', 'HEAD', KEY],
  ] as const)(
    'with %s is refused and leaves nothing behind',
    verifies('ws:bad-handshake'),
    async ([, method, headers]) => {
      const answer = await exchange(echo().port, {
        method,
        target: '/invocations_ws',
        headers: { ...WEBSOCKET_HEADERS, ...headers },
      });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect((await get(echo().port, '/readiness')).status).toBe(200);
    },
  );

  test('that the client abandons leaves nothing behind', verifies('ws:bad-handshake'), async () => {
    for (let n = 0; n < 20; n += 1) {
      const wire = await Wire.open(echo().port);
      wire.ask({ target: '/invocations_ws', headers: { ...WEBSOCKET_HEADERS, ...KEY } });
      if (n % 2 === 0) wire.reset();
      else wire.close();
    }
    const socket = await SocketWire.open(echo().port);
    socket.send(OPCODE.text, 'still here');
    expect(await socket.text()).toBe('still here');
    socket.wire.close();
  });
});

describe('traffic', () => {
  const echo = useFixture('wsecho');
  const raw = useFixture('wsraw');

  test('messages pass unchanged, in order, text as text and binary as binary', verifies('ws:messages'), async () => {
    const socket = await SocketWire.open(echo().port);
    const binary = randomBytes(70_000);
    const messages: [number, Buffer][] = [
      [OPCODE.text, Buffer.from('hello')],
      [OPCODE.text, Buffer.from('')],
      [OPCODE.binary, Buffer.alloc(0)],
      [OPCODE.text, Buffer.from('Grüße 世界 😀 \u0000 \r\n {"json":true}')],
      [OPCODE.binary, binary],
      [OPCODE.binary, Buffer.from('text-looking bytes')],
      [OPCODE.text, Buffer.from('x'.repeat(200_000))],
    ];
    for (const [opcode, payload] of messages) socket.send(opcode, payload);
    for (const [opcode, payload] of messages) {
      const frame = await socket.frame();
      expect(frame?.opcode).toBe(opcode);
      expect(frame?.payload.equals(payload)).toBe(true);
    }
    socket.wire.close();
  });

  test(
    'two thousand messages sent at once come back in order',
    verifies('ws:messages', 'ws:back-pressure'),
    async () => {
      const socket = await SocketWire.open(echo().port);
      const count = 2000;
      socket.wire.write(
        Buffer.concat(Array.from({ length: count }, (_, n) => frameBytes(OPCODE.text, `message ${n}`))),
      );
      for (let n = 0; n < count; n += 1) expect(await socket.text()).toBe(`message ${n}`);
      socket.wire.close();
    },
  );

  test(
    'messages sent with the handshake or before the handler reads are kept',
    verifies('ws:early-messages'),
    async () => {
      const early = Buffer.concat([
        frameBytes(OPCODE.text, 'one'),
        frameBytes(OPCODE.binary, 'two'),
        frameBytes(OPCODE.text, 'three'),
      ]);
      const socket = await SocketWire.open(echo().port, '/invocations_ws?wait=300', {}, early);
      socket.send(OPCODE.text, 'four');
      for (const text of ['one', 'two', 'three', 'four']) expect(await socket.text()).toBe(text);
      socket.wire.close();
    },
  );

  test('fragments with control frames between them are one message', verifies('ws:fragments'), async () => {
    const socket = await SocketWire.open(echo().port);
    const bytes = Buffer.from('split in a ü, a 世 and a 😀');
    socket.send(OPCODE.text, bytes.subarray(0, 0), { final: false });
    for (let at = 0; at < bytes.length; at += 1) {
      socket.send(OPCODE.continuation, bytes.subarray(at, at + 1), { final: at === bytes.length - 1 });
      if (at === 3) socket.send(OPCODE.ping, 'between');
    }
    const pong = await socket.frame();
    expect([pong?.opcode, pong?.payload.toString()]).toEqual([OPCODE.pong, 'between']);
    expect(await socket.text()).toBe(bytes.toString());
    socket.wire.close();
  });

  test('a ping is answered with its payload, whatever the handler does', verifies('ws:pong'), async () => {
    const socket = await SocketWire.open(echo().port, '/invocations_ws?wait=60000');
    for (const payload of ['', 'abc', 'x'.repeat(125)]) {
      socket.send(OPCODE.ping, payload);
      const frame = await socket.frame();
      expect([frame?.opcode, frame?.payload.toString()]).toEqual([OPCODE.pong, payload]);
    }
    socket.send(OPCODE.pong, 'unasked');
    socket.send(OPCODE.ping, 'last');
    expect((await socket.frame())?.payload.toString()).toBe('last');
    socket.wire.close();
  });

  test('a message of 16 MiB passes', verifies('ws:too-big'), async () => {
    const socket = await SocketWire.open(echo().port);
    const payload = Buffer.alloc(16 * MIB, 'm');
    socket.send(OPCODE.binary, payload);
    const frame = await socket.frame();
    expect(frame?.payload.equals(payload)).toBe(true);
    socket.wire.close();
  });

  test('a message over 16 MiB is closed with 1009, in one piece or in many', verifies('ws:too-big'), async () => {
    const whole = await SocketWire.open(raw().port);
    const record = await closeRecord(raw(), whole, () => {
      whole.wire.write(Buffer.concat([Buffer.from([0x82, 0xff]), bigEndian(16 * MIB + 1), randomBytes(4)]));
      return expectClose(whole, 1009);
    });
    expect(record.field(`${FIELD}.close_code`)).toBe(1009);
    const parts = await SocketWire.open(raw().port);
    const part = Buffer.alloc(4 * MIB, 'p');
    parts.send(OPCODE.binary, part, { final: false });
    for (let n = 0; n < 4; n += 1) parts.send(OPCODE.continuation, part, { final: false });
    await expectClose(parts, 1009);
  });

  test.for([
    ['invalid UTF-8', 1007, frameBytes(OPCODE.text, Buffer.from([0x61, 0xff, 0xfe]))],
    ['UTF-8 cut short', 1007, frameBytes(OPCODE.text, Buffer.from([0xe4, 0xb8]))],
    ['a surrogate in UTF-8', 1007, frameBytes(OPCODE.text, Buffer.from([0xed, 0xa0, 0x80]))],
    ['an unmasked frame', 1002, frameBytes(OPCODE.text, 'bare', { masked: false })],
    ['a reserved opcode', 1002, frameBytes(3, 'x')],
    ['a reserved control opcode', 1002, frameBytes(11, '')],
    ['a reserved bit', 1002, frameBytes(OPCODE.text, 'x', { reserved: 0x40 })],
    ['a fragmented ping', 1002, frameBytes(OPCODE.ping, 'x', { final: false })],
    ['an overlong ping', 1002, frameBytes(OPCODE.ping, 'x'.repeat(126))],
    ['a continuation of nothing', 1002, frameBytes(OPCODE.continuation, 'x')],
    [
      'a message inside a message',
      1002,
      Buffer.concat([frameBytes(OPCODE.text, 'a', { final: false }), frameBytes(OPCODE.text, 'b')]),
    ],
    ['a close frame of one byte', 1002, frameBytes(OPCODE.close, 'x')],
    ['a close code nobody may send', 1002, frameBytes(OPCODE.close, closePayload(1005))],
    ['a close code out of range', 1002, frameBytes(OPCODE.close, closePayload(999))],
    ['a close reason that is not UTF-8', 1007, frameBytes(OPCODE.close, Buffer.from([3, 232, 0xff, 0xff]))],
  ] as const)(
    '%s is closed with %d and logged',
    verifies('ws:protocol-errors', 'ws:close-record'),
    async ([, code, bytes]) => {
      const socket = await SocketWire.open(raw().port);
      const record = await closeRecord(raw(), socket, () => {
        socket.wire.write(bytes);
        return expectClose(socket, code);
      });
      expect([code, 1006]).toContain(record.field(`${FIELD}.close_code`));
      expect(
        raw()
          .records()
          .filter(({ level }) => level === 'ERROR'),
      ).toEqual([]);
    },
  );

  test(
    'a peer that does not read stops its own sending, and gets everything once it reads',
    verifies('ws:back-pressure'),
    async () => {
      const socket = await SocketWire.open(echo().port);
      const before = residentBytes(echo().pid);
      const frame = frameBytes(OPCODE.binary, Buffer.alloc(64 * 1024, 'b'));
      socket.wire.socket.pause();
      let sent = 0;
      const limit = 256 * MIB;
      for (let flowing = true; flowing && sent < limit; ) {
        flowing = socket.wire.socket.write(frame) || (await drained(socket.wire, 1500));
        sent += frame.length;
      }
      expect(sent, 'what server and kernel took before they stopped').toBeLessThan(64 * MIB);
      expect(residentBytes(echo().pid) - before).toBeLessThan(64 * MIB);
      socket.wire.socket.resume();
      for (let received = 0; received < Math.floor(sent / frame.length); received += 1) {
        expect((await socket.frame())?.payload.length).toBe(64 * 1024);
      }
      socket.wire.close();
    },
  );

  test(
    'a peer that sends while the handler does not receive is stopped as well',
    verifies('ws:back-pressure'),
    async () => {
      const socket = await SocketWire.open(echo().port, '/invocations_ws?wait=60000');
      const frame = frameBytes(OPCODE.binary, Buffer.alloc(64 * 1024, 'b'));
      let sent = 0;
      for (let flowing = true; flowing && sent < 256 * MIB; ) {
        flowing = socket.wire.socket.write(frame) || (await drained(socket.wire, 1500));
        sent += frame.length;
      }
      expect(sent).toBeLessThan(64 * MIB);
      socket.wire.reset();
    },
  );

  test('HTTP and many sockets work at once', verifies('ws:with-http', 'host:no-concurrency-limit'), async () => {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => SocketWire.open(echo().port)));
    const [texts, answers] = await Promise.all([
      Promise.all(
        sockets.map(async (socket, n) => {
          socket.send(OPCODE.text, `s${n}`);
          return socket.text();
        }),
      ),
      Promise.all(sockets.map((_, n) => post(echo().port, '/invocations', { body: `h${n}` }))),
    ]);
    expect(texts).toEqual(sockets.map((_, n) => `s${n}`));
    expect(answers.map((answer) => answer.text)).toEqual(sockets.map((_, n) => `h${n}`));
    for (const socket of sockets) socket.wire.close();
  });

  test('an ordinary client library gets along with it', verifies('ws:messages', 'ws:close:client'), async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${echo().port}/invocations_ws`);
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send('text');
    const [text, isBinary] = await new Promise<[Buffer, boolean]>((resolve) =>
      socket.once('message', (data: Buffer, binary) => resolve([data, binary])),
    );
    expect([text.toString(), isBinary]).toEqual(['text', false]);
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    socket.close(4002, 'done');
    expect(await closed).toBe(4002);
  });
});

describe('close codes and the close record', () => {
  const echo = useFixture('wsecho');
  const boom = useFixture('wsboom');
  const returns = useFixture('wsret');
  const closes = useFixture('wsclose');
  const raw = useFixture('wsraw');
  const info = useFixture('wsinfo');

  test(
    'a handler that returns closes with 1000 and no reason',
    verifies('ws:close:returns', 'ws:close-record'),
    async () => {
      const socket = await SocketWire.open(returns().port);
      const record = await closeRecord(returns(), socket, async () => {
        expect(await socket.ending()).toEqual([{ code: 1000, reason: '' }]);
      });
      expectCloseRecord(record, { code: 1000 });
      expect(record.field(`${FIELD}.session_id`)).toBe(socket.head.header(SESSION_ID));
      expect(record.message).toMatch(
        new RegExp(
          `^invocations_ws connection closed: session_id=${socket.head.header(SESSION_ID)} code=1000 duration_ms=\\d+$`,
        ),
      );
    },
  );

  test(
    'a handler that throws closes with 1011 and tells the client nothing',
    verifies('ws:close:throws', 'ws:close-record:no-leak', 'ws:close-record'),
    async () => {
      const socket = await SocketWire.open(boom().port);
      const record = await closeRecord(boom(), socket, async () => {
        socket.send(OPCODE.text, 'go');
        expect(await socket.ending()).toEqual([{ code: 1011, reason: 'Internal server error' }]);
      });
      expectCloseRecord(record, { code: 1011, error: 'internal_error' });
      expect(record.line).not.toContain('boom-secret');
      const errors = boom()
        .records()
        .filter(({ level }) => level === 'ERROR');
      expect(errors.length).toBe(1);
      expect(errors[0]?.line).toContain('boom-secret');
      expect(errors[0]?.line, 'the stack').toMatch(/conformance-agent/);
    },
  );

  test.for([1000, 1001, 1003, 1008, 3000, 4000, 4321, 4999])(
    'a handler that closes with %d is taken at its word',
    verifies('ws:close:own', 'ws:close-record'),
    async (code) => {
      const socket = await SocketWire.open(closes().port, `/invocations_ws?c=${code}`);
      const record = await closeRecord(closes(), socket, async () => {
        expect(await socket.text()).toBe('bye');
        expect(await socket.ending()).toEqual([{ code, reason: '' }]);
      });
      expectCloseRecord(record, { code });
    },
  );

  test.for([0, 999, 1005, 1006, 1015, 5000])(
    'a handler that closes with %d, which nobody may, has failed',
    verifies('ws:close:throws', 'ws:close-record'),
    async (code) => {
      const socket = await SocketWire.open(closes().port, `/invocations_ws?c=${code}`);
      const record = await closeRecord(closes(), socket, async () => {
        expect(await socket.text()).toBe('bye');
        expect(await socket.ending()).toEqual([{ code: 1011, reason: 'Internal server error' }]);
      });
      expectCloseRecord(record, { code: 1011, error: 'internal_error' });
    },
  );

  test(
    'a handler that closes and then throws has sent its own code',
    verifies('ws:close:own-then-throws', 'ws:close-record:no-leak'),
    async () => {
      const socket = await SocketWire.open(closes().port, '/invocations_ws?c=4001&t=1');
      const record = await closeRecord(closes(), socket, async () => {
        expect(await socket.text()).toBe('bye');
        expect(await socket.ending()).toEqual([{ code: 4001, reason: '' }]);
      });
      expectCloseRecord(record, { code: 4001, error: 'internal_error' });
      expect(record.line).not.toContain('after-close');
      const errors = closes()
        .records()
        .filter(({ level }) => level === 'ERROR');
      expect(errors.filter(({ line }) => line.includes('after-close')).length).toBe(1);
    },
  );

  test.for([
    [1000, 1000],
    [1001, 1001],
    [4999, 4999],
    [undefined, 1000],
  ] as const)(
    'a client that closes with %s while the handler receives is logged as %s',
    verifies('ws:close:client', 'ws:close-record'),
    async ([code, logged]) => {
      for (const [name, fixture] of [
        ['wsraw', raw],
        ['wsecho', echo],
      ] as const) {
        const socket = await SocketWire.open(fixture().port);
        const record = await closeRecord(fixture(), socket, async () => {
          socket.close(code, code === undefined ? '' : 'so long');
          const answer = await socket.frame();
          expect(answer?.opcode, 'the close is answered').toBe(OPCODE.close);
          if (answer !== undefined) expect(closeOf(answer).code).toBe(code ?? 1005);
          expect(await socket.frame()).toBe(undefined);
        });
        // An iterator swallows the disconnect: the table allows its own code or 1000 there.
        if (name === 'wsraw') expectCloseRecord(record, { code: logged });
        else expect([logged, 1000]).toContain(record.field(`${FIELD}.close_code`));
        expect(
          fixture()
            .records()
            .filter(({ level }) => level === 'ERROR'),
        ).toEqual([]);
      }
    },
  );

  test(
    'messages before the close are handled before the disconnect',
    verifies('ws:early-messages', 'ws:close:client'),
    async () => {
      const socket = await SocketWire.open(boom().port);
      const errorsBefore = boom()
        .records()
        .filter(({ level }) => level === 'ERROR').length;
      socket.wire.write(
        Buffer.concat([frameBytes(OPCODE.text, 'last words'), frameBytes(OPCODE.close, closePayload(1000))]),
      );
      await until(
        () =>
          boom()
            .records()
            .filter(({ level }) => level === 'ERROR').length > errorsBefore
            ? true
            : undefined,
        () => 'the message was never handled',
      );
      socket.wire.close();
    },
  );

  test.for(['reset', 'close'] as const)(
    'a connection lost by %s is logged as 1006 and is no error',
    verifies('ws:close:lost', 'ws:close-record', 'disconnect:quiet'),
    async (leave) => {
      const socket = await SocketWire.open(raw().port);
      const record = await closeRecord(raw(), socket, () => socket.wire[leave]());
      expectCloseRecord(record, { code: 1006 });
      expect(
        raw()
          .records()
          .filter(({ level }) => level === 'ERROR'),
      ).toEqual([]);
    },
  );

  test('a connection lost in the middle of a frame is logged as 1006', verifies('ws:close:lost'), async () => {
    const socket = await SocketWire.open(raw().port);
    const record = await closeRecord(raw(), socket, async () => {
      socket.wire.write(frameBytes(OPCODE.binary, Buffer.alloc(1000)).subarray(0, 500));
      await pause(20);
      socket.wire.reset();
    });
    expectCloseRecord(record, { code: 1006 });
  });

  test('a client that leaves while the handler is busy is logged once', verifies('ws:close-record'), async () => {
    const socket = await SocketWire.open(echo().port, '/invocations_ws?wait=200');
    const record = await closeRecord(echo(), socket, () => socket.close(4000));
    expect([4000, 1000]).toContain(record.field(`${FIELD}.close_code`));
  });

  test('the duration is that of the connection, in whole milliseconds', verifies('ws:close-record'), async () => {
    const started = performance.now();
    const socket = await SocketWire.open(raw().port);
    await pause(120);
    const record = await closeRecord(raw(), socket, () => socket.close(1000));
    const duration = Number(record.field(`${FIELD}.duration_ms`));
    expect(Number.isInteger(duration)).toBe(true);
    expect(duration).toBeGreaterThanOrEqual(110);
    expect(duration).toBeLessThanOrEqual(performance.now() - started);
    expect(record.message).toContain(`duration_ms=${duration}`);
  });

  test(
    'WebSocket scopes have no request lines and one record each',
    verifies('log:request:not-websocket', 'ws:close-record'),
    async () => {
      const sockets = await Promise.all(
        Array.from({ length: 10 }, () => SocketWire.open(info().port, '/invocations_ws?secret-query=1')),
      );
      for (const socket of sockets) await closeRecord(info(), socket, async () => void (await socket.ending()));
      const lines = info().records();
      expect(lines.filter(({ message }) => /connection closed/.test(message)).length).toBe(10);
      expect(
        lines.filter(({ message }) => /Request (started|completed)/i.test(message) && /invocations_ws/.test(message)),
      ).toEqual([]);
      expect(info().output()).not.toContain('secret-query');
    },
  );

  test('upgrade headers and query reach the handler', verifies('ws:accept-first'), async () => {
    const socket = await SocketWire.open(info().port, '/invocations_ws?a=1&b=%C3%A9&c=', {
      'X-Client-Thing': 'value',
      'x-agent-user-id': 'u',
    });
    const seen = JSON.parse(await socket.text()) as { headers: Record<string, string>; query: Record<string, string> };
    expect(seen.query).toEqual({ a: '1', b: 'é', c: '' });
    expect(seen.headers).toMatchObject({ 'x-client-thing': 'value', 'x-agent-user-id': 'u', upgrade: 'websocket' });
    expect(await socket.ending()).toEqual([{ code: 1000, reason: '' }]);
  });
});

describe('registration', () => {
  const twice = useFixture('wstwice');

  test('the last of two handlers wins, with a warning naming both', verifies('ws:registered-twice'), async () => {
    const socket = await SocketWire.open(twice().port);
    expect(await socket.text()).toBe('second');
    expect(await socket.ending()).toEqual([{ code: 1000, reason: '' }]);
    const warnings = twice()
      .records()
      .filter(({ level }) => level === 'WARNING');
    expect(warnings.length).toBe(1);
    expect(warnings[0]?.line).toMatch(/first/);
    expect(warnings[0]?.line).toMatch(/second/);
  });
});

describe('pings of the server', () => {
  const quick = useFixture('wsecho', { WS_KEEPALIVE_INTERVAL: '0.1' });
  const zero = useFixture('wsecho', { WS_KEEPALIVE_INTERVAL: '0' });
  const blank = useFixture('wsecho', { WS_KEEPALIVE_INTERVAL: '' });
  const unset = useFixture('wsecho');

  test(
    'come at the interval, busy handler or not, and ask for no pong',
    verifies('ws:ping', 'ws:pong', 'env:ws-keepalive:fraction'),
    async () => {
      const socket = await SocketWire.open(quick().port, '/invocations_ws?wait=700');
      const started = performance.now();
      for (let n = 0; n < 5; n += 1) expect((await socket.frame())?.opcode).toBe(OPCODE.ping);
      const elapsed = performance.now() - started;
      expect(elapsed).toBeGreaterThan(350);
      socket.send(OPCODE.text, 'still open without a pong');
      expect(await socket.text()).toBe('still open without a pong');
      socket.wire.close();
    },
  );

  test('stop with the connection', verifies('ws:ping'), async () => {
    const socket = await SocketWire.open(quick().port);
    await closeRecord(quick(), socket, () => socket.close(1000));
    await pause(300);
    expect(
      quick()
        .records()
        .filter(({ level }) => level === 'ERROR'),
    ).toEqual([]);
    expect((await get(quick().port, '/readiness')).status).toBe(200);
  });

  test('are off at 0, empty or unset', verifies('env:ws-keepalive:off', 'ws:ping'), async () => {
    await Promise.all(
      [zero(), blank(), unset()].map(async (fixture) => {
        const socket = await SocketWire.open(fixture.port);
        await pause(1200);
        socket.send(OPCODE.text, 'first frame');
        const frame = await socket.frame();
        expect([frame?.opcode, frame?.payload.toString()]).toEqual([OPCODE.text, 'first frame']);
        socket.wire.close();
      }),
    );
  });
});

async function expectClose(socket: SocketWire, code: number): Promise<void> {
  for (;;) {
    const frame = await socket.frame();
    if (frame === undefined) expect.fail(`the connection ended without a close frame of ${code}`);
    if (frame.opcode !== OPCODE.close) continue;
    expect(closeOf(frame).code).toBe(code);
    socket.wire.close();
    return;
  }
}

/** Does `act`, then waits for the close record of this connection and checks that it is the only one. */
async function closeRecord(
  fixture: FixtureProcess,
  socket: SocketWire,
  act: () => unknown = () => {},
): Promise<LogRecord> {
  const session = socket.head.header(SESSION_ID) ?? '';
  const isIts = (record: LogRecord) =>
    /connection closed/.test(record.message) && record.field(`${FIELD}.session_id`) === session;
  await act();
  await until(
    () => (fixture.records().some(isIts) ? true : undefined),
    () => `no close record of ${session} in:\n${fixture.output()}`,
  );
  socket.wire.close();
  const after = Math.random().toString();
  await get(fixture.port, '/nope', { headers: { 'x-request-id': after } });
  await fixture.record((record) => record.line.includes(after), 'of a request after the close');
  const all = fixture.records().filter(isIts);
  expect(all.length, 'close records of this connection').toBe(1);
  return all.at(-1) ?? expect.fail('unreachable');
}

function expectCloseRecord(record: LogRecord, { code, error }: { code: number; error?: string }): void {
  expect(record.level).toBe('INFO');
  expect(record.message).toMatch(/^invocations_ws connection closed: session_id=\S+ code=\d+ duration_ms=\d+/);
  expect(record.message).toContain(`code=${code} `);
  expect(record.field(`${FIELD}.close_code`)).toBe(code);
  expect(record.field(`${FIELD}.session_id`)).toMatch(/^[A-Za-z0-9\-_.:]{1,256}$/);
  expect(record.field(`${FIELD}.duration_ms`)).toBeTypeOf('number');
  expect(record.field(`${FIELD}.error.code`)).toBe(error);
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** Whether the socket could send again within `ms` milliseconds. */
function drained(wire: Wire, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const onDrain = () => {
      clearTimeout(timer);
      resolve(true);
    };
    const timer = setTimeout(() => {
      wire.socket.off('drain', onDrain);
      resolve(false);
    }, ms);
    wire.socket.once('drain', onDrain);
  });
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}
