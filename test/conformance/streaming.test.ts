import { describe, expect, test } from 'vitest';
import { type FixtureProcess, pause, until, useFixture } from './fixture-process.ts';
import { expectBothIds, expectOnlyInvocationId, expectPlatformHeaders, INVOCATION_ID } from './protocol-checks.ts';
import { verifies } from './verifies.ts';
import { exchange, post, Wire } from './wire.ts';

const COMMENT = ': keep-alive\n\n';

describe('a stream', { concurrent: true }, () => {
  const sse = useFixture('sse');
  const ndjson = useFixture('ndjson');
  const hang = useFixture('hang');
  const slow = useFixture('slow');

  test(
    'is written chunk by chunk as it is produced',
    verifies('stream:as-produced', 'stream:no-added-headers', 'stream:headers-first'),
    async () => {
      const { wire, head } = await open(sse(), '/invocations?n=3&gap=300', 'as-produced');
      expect(head.status).toBe(200);
      expect(head.header('transfer-encoding')).toBe('chunked');
      expect(head.header('content-type')).toMatch(/^text\/event-stream(; ?charset=utf-8)?$/);
      expect(head.all('content-length')).toEqual([]);
      expect(head.all('cache-control')).toEqual([]);
      expect(head.all('content-encoding')).toEqual([]);
      expectPlatformHeaders(head);
      expect(head.header(INVOCATION_ID)).toBe('as-produced');
      for (const n of [1, 2, 3]) {
        expect((await wire.chunk()).toString()).toBe(`data: ${n}\n\n`);
        if (n < 3)
          expect(
            sse()
              .markers('closed')
              .filter((line) => line.includes('inv=as-produced')),
          ).toEqual([]);
      }
      expect((await wire.chunk()).length).toBe(0);
      expect(await sse().marker('closed', 'inv=as-produced')).toBe('closed inv=as-produced pulled=3');
      wire.ask({ target: '/readiness' });
      expect((await wire.answer()).status, 'the connection lives on').toBe(200);
      wire.close();
    },
  );

  test('shows its headers before its first chunk', verifies('stream:headers-first'), async () => {
    const { wire, head } = await open(sse(), '/invocations?n=1&first=1500', 'headers-first');
    expectBothIds(head);
    expect(
      sse()
        .markers('closed')
        .filter((line) => line.includes('headers-first')),
    ).toEqual([]);
    expect((await wire.chunk()).toString()).toBe('data: 1\n\n');
    wire.close();
  });

  test('that is empty is 200 with an empty body', verifies('stream:empty'), async () => {
    const answer = await post(sse().port, '/invocations?n=0');
    expect([answer.status, answer.text, answer.complete]).toEqual([200, '', true]);
    expectBothIds(answer);
  });

  test(
    'keeps the bytes of the handler whatever their type',
    verifies('stream:no-added-headers', 'stream:as-produced'),
    async () => {
      const lines = await post(ndjson().port, '/invocations?n=3&gap=20');
      expect(lines.header('content-type')).toMatch(/^application\/x-ndjson/);
      expect(lines.text).toBe('{"n":1}\n{"n":2}\n{"n":3}\n');
      expectBothIds(lines);
      const big = await post(sse().port, '/invocations?n=40&size=100000');
      expect(big.complete).toBe(true);
      expect(big.text).toBe(`data: ${'x'.repeat(100_000)}\n\n`.repeat(40));
      const half = await post(sse().port, '/invocations?half=1&gap=50');
      expect(half.text).toBe('data: 12\n\n');
    },
  );

  test('with a content type set by the handler keeps that one', verifies('stream:no-added-headers'), async () => {
    const answer = await post(sse().port, '/invocations?ct=application/x-custom%3B%20v%3D1');
    expect(answer.header('content-type')).toBe('application/x-custom; v=1');
  });

  test('may come from GET and cancel', verifies('stream:get-cancel', 'get:headers', 'cancel:headers'), async () => {
    for (const [method, target] of [
      ['GET', '/invocations/g1?n=3'],
      ['POST', '/invocations/g1/cancel?n=3'],
    ] as const) {
      const answer = await exchange(sse().port, { method, target, ...(method === 'POST' ? { body: '' } : {}) });
      expect(answer.text).toBe('data: 1\n\ndata: 2\n\ndata: 3\n\n');
      expect(answer.header('transfer-encoding')).toBe('chunked');
      expectOnlyInvocationId(answer, 'g1');
    }
  });

  test('of HEAD has no body and its source is closed', verifies('route:head', 'disconnect:stream'), async () => {
    const wire = await Wire.open(sse().port);
    wire.ask({ method: 'HEAD', target: '/invocations/head1?n=inf&gap=20' });
    const answer = await wire.answer('HEAD');
    expect(answer.status).toBe(200);
    wire.ask({ target: '/readiness' });
    expect((await wire.answer()).text).toBe('{"status":"healthy"}');
    wire.close();
    if (
      sse()
        .markers('opened')
        .some((line) => line.includes('inv=head1'))
    )
      await sse().marker('closed', 'inv=head1');
  });

  test('that fails is cut without its final chunk', verifies('stream:error', 'log:error:stream'), async () => {
    const { wire, head } = await open(sse(), '/invocations?n=5&fail=1&gap=100', 'breaks');
    expect(head.status).toBe(200);
    const parts: string[] = [];
    await expect(
      (async () => {
        for await (const chunk of wire.body(head)) parts.push(chunk.toString());
      })(),
    ).rejects.toThrow('the connection ended');
    expect(parts.join('')).toBe('data: 1\n\n');
    expect(await sse().marker('closed', 'inv=breaks')).toBe('closed inv=breaks pulled=1');
    const error = await sse().record(
      (record) => record.level === 'ERROR' && record.line.includes('breaks'),
      'of the failure',
    );
    expect(error.message).toBe('Error processing invocation breaks: stream-broke');
    expect(error.line).toMatch(/stream-broke/);
  });

  test('that fails at once after its first event is cut all the same', verifies('stream:error'), async () => {
    for (const [method, target] of [
      ['POST', '/invocations?fail=1'],
      ['GET', '/invocations/cut-get?fail=1'],
      ['POST', '/invocations/cut-cancel/cancel?fail=1'],
    ] as const) {
      const answer = await exchange(sse().port, { method, target, ...(method === 'POST' ? { body: '' } : {}) });
      expect(answer.status).toBe(200);
      expect(answer.complete, 'no final chunk').toBe(false);
      expect(['', 'data: 1\n\n']).toContain(answer.text);
    }
  });

  test('to an HTTP/1.0 client that fails ends the connection', verifies('stream:error', 'conn:http10'), async () => {
    const wire = await Wire.open(sse().port);
    wire.write('POST /invocations?fail=1&gap=50 HTTP/1.0\r\nhost: x\r\n\r\n');
    const answer = await wire.answer('POST');
    expect(answer.text).toBe('data: 1\n\n');
  });

  test(
    'is stopped and its source closed when the client leaves',
    verifies('disconnect:stream', 'disconnect:signal', 'disconnect:quiet'),
    async () => {
      for (const leave of ['close', 'reset'] as const) {
        const id = `left-${leave}`;
        const { wire } = await open(sse(), '/invocations?n=inf&gap=60000', id);
        expect((await wire.chunk()).toString()).toBe('data: 1\n\n');
        wire[leave]();
        const closed = await sse().marker('closed', `inv=${id} `);
        expect(Number(/pulled=(\d+)/.exec(closed)?.[1])).toBeLessThanOrEqual(2);
        await endOfRequest(sse(), id);
        expect(
          sse()
            .records()
            .filter((record) => record.level === 'ERROR' && record.line.includes(id)),
        ).toEqual([]);
      }
    },
  );

  test('is closed when the client leaves before the first event', verifies('disconnect:stream'), async () => {
    const { wire } = await open(sse(), '/invocations?n=inf&first=60000&gap=60000', 'left-early');
    wire.close();
    await sse().marker('closed', 'inv=left-early');
  });

  test(
    'of GET is closed as well when the client leaves',
    verifies('disconnect:stream', 'stream:get-cancel'),
    async () => {
      const wire = await Wire.open(sse().port);
      wire.ask({ target: '/invocations/left-get?n=inf&gap=60000' });
      await wire.head();
      await wire.chunk();
      wire.close();
      await sse().marker('closed', 'inv=left-get');
    },
  );

  test('is pulled only as far as the client reads', verifies('stream:back-pressure', 'disconnect:stream'), async () => {
    const { wire } = await open(sse(), '/invocations?n=inf&size=65536', 'unread');
    wire.socket.pause();
    await pause(1500);
    wire.reset();
    const closed = await sse().marker('closed', 'inv=unread');
    // What the kernel's buffers of both ends take is a few MiB; without back-pressure it would be hundreds.
    expect(Number(/pulled=(\d+)/.exec(closed)?.[1])).toBeLessThan(400);
  });

  test('that the client reads late still comes whole', verifies('stream:back-pressure'), async () => {
    const { wire, head } = await open(sse(), '/invocations?n=300&size=65536', 'late-reader');
    wire.socket.pause();
    await pause(300);
    wire.socket.resume();
    let bytes = 0;
    for await (const chunk of wire.body(head)) bytes += chunk.length;
    expect(bytes).toBe(300 * (65536 + 'data: \n\n'.length));
    wire.close();
  });

  test('keeps user and call id bound while it is written', verifies('identity:stream', 'identity:apart'), async () => {
    await Promise.all(
      Array.from({ length: 12 }, async (_, n) => {
        const answer = await post(sse().port, '/invocations?ctx=1&n=6&gap=15', {
          headers: { 'x-agent-user-id': `u${n}`, 'x-agent-foundry-call-id': `c${n}` },
        });
        expect(answer.text).toBe(`data: {"userId":"u${n}","callId":"c${n}"}\n\n`.repeat(6));
      }),
    );
    const wire = await Wire.open(sse().port);
    for (const n of ['k1', 'k2']) {
      wire.ask({ method: 'POST', target: '/invocations?ctx=1&n=2', headers: { 'x-agent-user-id': n }, body: '' });
      expect((await wire.answer('POST')).text).toBe(`data: {"userId":"${n}","callId":""}\n\n`.repeat(2));
    }
    wire.ask({ target: '/invocations/i?ctx=1&n=1', headers: { 'x-agent-foundry-call-id': 'k3' } });
    expect((await wire.answer()).text).toBe('data: {"userId":"","callId":"k3"}\n\n');
    wire.close();
  });

  test(
    'a handler learns through its signal that the client left',
    verifies('disconnect:signal', 'disconnect:quiet'),
    async () => {
      for (const leave of ['close', 'reset'] as const) {
        const wire = await Wire.open(hang().port);
        wire.ask({
          method: 'POST',
          target: '/invocations',
          headers: { [INVOCATION_ID]: leave, 'x-request-id': leave },
          body: 'x',
        });
        await hang().marker('started', `inv=${leave}`);
        wire[leave]();
        await hang().marker('aborted', `inv=${leave}`);
        await endOfRequest(hang(), leave);
      }
      expect(
        hang()
          .records()
          .filter((record) => record.level === 'ERROR'),
      ).toEqual([]);
    },
  );

  test(
    'the signal of one request is not that of another',
    verifies('disconnect:signal', 'identity:apart'),
    async () => {
      const stays = await Wire.open(hang().port);
      stays.ask({ method: 'POST', target: '/invocations', headers: { [INVOCATION_ID]: 'stays' }, body: '' });
      const leaves = await Wire.open(hang().port);
      leaves.ask({ method: 'POST', target: '/invocations', headers: { [INVOCATION_ID]: 'leaves' }, body: '' });
      await hang().marker('started', 'inv=stays');
      await hang().marker('started', 'inv=leaves');
      leaves.close();
      await hang().marker('aborted', 'inv=leaves');
      expect(
        hang()
          .markers('aborted')
          .filter((line) => line.includes('inv=stays')),
      ).toEqual([]);
      stays.close();
      await hang().marker('aborted', 'inv=stays');
    },
  );

  test('a handler that ignores the signal runs to its end', verifies('disconnect:not-cancelled'), async () => {
    const wire = await Wire.open(slow().port);
    wire.ask({ method: 'POST', target: '/invocations?ms=300', headers: { 'x-request-id': 'left-alone' }, body: '' });
    await pause(50);
    wire.close();
    await endOfRequest(slow(), 'left-alone');
    expect(
      slow()
        .records()
        .filter((record) => record.level === 'ERROR'),
    ).toEqual([]);
    expect((await post(slow().port, '/invocations')).text).toBe('done');
  });
});

describe('SSE keep-alive every second', { concurrent: true }, () => {
  const sse = useFixture('sse', { SSE_KEEPALIVE_INTERVAL: '1' });
  const ndjson = useFixture('ndjson', { SSE_KEEPALIVE_INTERVAL: '1' });

  test('comments come before the first chunk and between chunks', verifies('sse:comment'), async () => {
    const { wire, head } = await open(sse(), '/invocations?n=2&first=1500&gap=2500', 'commented');
    const parts: string[] = [];
    for await (const chunk of wire.body(head)) parts.push(chunk.toString());
    expect(parts.join('')).toBe(`${COMMENT}data: 1\n\n${COMMENT}${COMMENT}data: 2\n\n`);
    expect(parts[0], 'fourteen bytes of their own').toBe(COMMENT);
    expect(COMMENT.length).toBe(14);
    wire.close();
  });

  test('every chunk restarts the interval', verifies('sse:restart'), async () => {
    const answer = await post(sse().port, '/invocations?n=5&gap=600');
    expect(answer.text).toBe([1, 2, 3, 4, 5].map((n) => `data: ${n}\n\n`).join(''));
  });

  test('no comment is put inside an unfinished event', verifies('sse:whole-events'), async () => {
    expect((await post(sse().port, '/invocations?half=1&gap=2500')).text).toBe('data: 12\n\n');
  });

  test('GET and cancel get no comments', verifies('sse:post-only'), async () => {
    const [read, cancelled] = await Promise.all([
      exchange(sse().port, { target: '/invocations/i?n=2&gap=1500' }),
      post(sse().port, '/invocations/i/cancel?n=2&gap=1500'),
    ]);
    expect(read?.text).toBe('data: 1\n\ndata: 2\n\n');
    expect(cancelled?.text).toBe('data: 1\n\ndata: 2\n\n');
  });

  test('the final content type decides in both directions', verifies('sse:content-type'), async () => {
    const cases = [
      [sse(), 'application/x-ndjson', false],
      [sse(), 'text/event-streaming', false],
      [sse(), 'application/text/event-stream', false],
      [sse(), 'text/plain; x=text/event-stream', false],
      [sse(), 'text/event-stream; charset=utf-8', true],
      [sse(), 'Text/Event-Stream', true],
      [sse(), 'text/event-stream ;x=y', true],
      [ndjson(), undefined, false],
      [ndjson(), 'text/event-stream', true],
    ] as const;
    await Promise.all(
      cases.map(async ([fixture, type, commented]) => {
        const ct = type === undefined ? '' : `&ct=${encodeURIComponent(type)}`;
        const answer = await post(fixture.port, `/invocations?n=1&first=1500${ct}`);
        expect(answer.text.startsWith(COMMENT), type).toBe(commented);
        if (type !== undefined) expect(answer.header('content-type')).toBe(type);
      }),
    );
  });

  test('one item is produced ahead of the consumer, no more', verifies('sse:back-pressure'), async () => {
    const { wire } = await open(sse(), '/invocations?n=inf&size=65536', 'ka-unread');
    wire.socket.pause();
    await pause(1500);
    wire.reset();
    const closed = await sse().marker('closed', 'inv=ka-unread');
    expect(Number(/pulled=(\d+)/.exec(closed)?.[1])).toBeLessThan(400);
  });

  test('source errors still cut the stream', verifies('sse:errors'), async () => {
    const { wire, head } = await open(sse(), '/invocations?fail=1&gap=1500', 'ka-breaks');
    const parts: string[] = [];
    const read = (async () => {
      for await (const chunk of wire.body(head)) parts.push(chunk.toString());
    })();
    await expect(read).rejects.toThrow('the connection ended');
    expect(parts.join('')).toBe(`data: 1\n\n${COMMENT}`);
    await sse().marker('closed', 'inv=ka-breaks');
    await sse().record(
      (record) => record.message === 'Error processing invocation ka-breaks: stream-broke',
      'of the failure',
    );
  });

  test('the source is closed when the client leaves', verifies('sse:errors', 'disconnect:stream'), async () => {
    for (const query of ['n=inf&gap=60000', 'n=inf&first=60000']) {
      const id = query.includes('first') ? 'ka-left-early' : 'ka-left';
      const { wire } = await open(sse(), `/invocations?${query}`, id);
      await wire.chunk();
      wire.close();
      await sse().marker('closed', `inv=${id} `);
    }
  });

  test('the context stays bound', verifies('identity:stream', 'sse:comment'), async () => {
    const answer = await post(sse().port, '/invocations?ctx=1&n=2&gap=1500', { headers: { 'x-agent-user-id': 'u' } });
    const event = 'data: {"userId":"u","callId":""}\n\n';
    expect(answer.text).toBe(`${event}${COMMENT}${event}`);
  });

  test('an empty stream and an ended one get no comment', verifies('sse:comment'), async () => {
    expect((await post(sse().port, '/invocations?n=0')).text).toBe('');
    expect((await post(sse().port, '/invocations?n=2')).text).toBe('data: 1\n\ndata: 2\n\n');
  });
});

describe.for([{}, { SSE_KEEPALIVE_INTERVAL: '0' }, { SSE_KEEPALIVE_INTERVAL: '-5' }])(
  'SSE keep-alive with %j',
  (env) => {
    const sse = useFixture('sse', env as Record<string, string>);

    test('is off', verifies('sse:off', 'env:sse-keepalive:negative'), async () => {
      expect((await post(sse().port, '/invocations?n=2&gap=1300')).text).toBe('data: 1\n\ndata: 2\n\n');
    });
  },
);

async function open(fixture: FixtureProcess, target: string, id: string) {
  const wire = await Wire.open(fixture.port);
  wire.ask({ method: 'POST', target, headers: { [INVOCATION_ID]: id, 'x-request-id': id }, body: '' });
  return { wire, head: await wire.head() };
}

/** Resolves when the log holds a line of a request that came after; whatever the request `id` logged came before. */
async function endOfRequest(fixture: FixtureProcess, id: string): Promise<void> {
  const after = `after-${id}-${Math.random()}`;
  await until(
    () => (fixture.records().some((record) => record.line.includes(id)) ? true : undefined),
    () => `no line of ${id}`,
  );
  await post(fixture.port, '/invocations/nobody', { headers: { 'x-request-id': after } });
  await fixture.record((record) => record.line.includes(after), 'of the request after');
}
