import { describe, expect, test } from 'vitest';
import { startOtlpSink } from '../support/otlp-sink.ts';
import { type FixtureProcess, useFixture, withFixture } from './fixture-process.ts';
import type { LogRecord } from './log-record.ts';
import { INVOCATION_ID, SESSION_ID } from './protocol-checks.ts';
import { verifies } from './verifies.ts';
import { exchange, get, post, Wire } from './wire.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';

describe('request lines', () => {
  const status = useFixture('status');
  const boom = useFixture('boom');

  test(
    'each request has a start line and a completion line without its query',
    verifies('log:request:start', 'log:request:end', 'log:no-query'),
    async () => {
      const { start, end } = await linesOf(status(), 'POST', '/invocations?s=201&token=hidden-word', 'r-ok');
      expect(start.level).toBe('INFO');
      expect(start.message).toMatch(/\bPOST \/invocations(\s|$)/);
      expect(end.level).toBe('INFO');
      expect(end.message).toMatch(/\bPOST \/invocations\b.*\b201\b.*\b\d+\.\d ?ms\b/);
      expect(status().output()).not.toContain('hidden-word');
    },
  );

  test.for([
    ['POST', '/invocations?s=200', 200, 'INFO'],
    ['POST', '/invocations?s=204', 204, 'INFO'],
    ['POST', '/invocations?s=399', 399, 'INFO'],
    ['POST', '/invocations?s=400', 400, 'WARNING'],
    ['POST', '/invocations?s=503', 503, 'WARNING'],
    ['GET', '/invocations/abc', 404, 'WARNING'],
    ['POST', '/invocations/abc/cancel', 404, 'WARNING'],
    ['GET', '/nope', 404, 'WARNING'],
    ['GET', '/invocations', 405, 'WARNING'],
    ['POST', '/invocations/', 307, 'INFO'],
    ['GET', '/readiness', 200, 'INFO'],
  ] as const)(
    '%s %s completes with %d at %s',
    verifies('log:request:end:level', 'log:request:start', 'log:request:end'),
    async ([method, target, code, level]) => {
      const { end } = await linesOf(status(), method, target, `level-${method}-${target}-${code}`.replace(/\W/g, '-'));
      expect(end.level).toBe(level);
      expect(end.message).toMatch(new RegExp(`\\b${code}\\b`));
    },
  );

  test(
    'an exception completes with 500 at WARNING',
    verifies('log:request:end:level', 'log:error:invocation'),
    async () => {
      const { end } = await linesOf(boom(), 'POST', '/invocations', 'r-boom');
      expect([end.level, /\b500\b/.test(end.message)]).toEqual(['WARNING', true]);
    },
  );

  test('ids of the request stand in parentheses when they came', verifies('log:request:suffix'), async () => {
    const both = await linesOf(status(), 'POST', '/invocations', 'suffix-1', {
      'x-ms-client-request-id': 'ms-77',
      traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
    });
    for (const record of [both.start, both.end]) {
      const suffix = /\(([^()]*)\)\s*$/.exec(record.message)?.[1] ?? '';
      expect(suffix).toContain('suffix-1');
      expect(suffix).toContain('ms-77');
      expect(suffix).toContain(TRACE);
    }
    const only = await linesOf(status(), 'POST', '/invocations', 'suffix-2');
    expect(only.end.message).toMatch(/\([^()]*suffix-2[^()]*\)\s*$/);
    expect(only.end.message).not.toMatch(/client-request-id|trace-id/);
  });

  test('without ids there is no suffix', verifies('log:request:suffix'), async () => {
    await exchange(status().port, { method: 'DELETE', target: '/invocations' });
    const end = await status().record(({ message }) => /DELETE \/invocations\b.*405/.test(message), 'of DELETE');
    expect(end.message).not.toMatch(/[()]/);
  });

  test('nothing a client sends begins a line of its own', verifies('log:no-forgery', 'log:no-query'), async () => {
    const before = status().output().split('\n').length;
    const forged = '2026-01-01 00:00:00 ERROR forged: line';
    await get(status().port, `/invocations/a%0A${encodeURIComponent(forged)}%0Ab`);
    await get(status().port, `/%0d%0a${encodeURIComponent(forged)}`);
    await post(status().port, '/invocations', { headers: { 'x-request-id': `x ${forged}`, 'x-client-a': forged } });
    await linesOf(status(), 'POST', '/invocations', 'after-forgery');
    const lines = status().output().split('\n').slice(before);
    expect(lines.filter((line) => !line.startsWith('{') && !/^\S+ (INFO|WARNING) /.test(line))).toEqual([]);
    expect(
      status()
        .records()
        .filter(({ level }) => level === 'ERROR'),
    ).toEqual([]);
  });

  test('everything goes to standard error, at INFO and above', verifies('log:stderr', 'log:levels'), async () => {
    await linesOf(status(), 'POST', '/invocations', 'r-stderr');
    expect(
      status()
        .records()
        .filter(({ stream }) => stream !== 'stderr'),
    ).toEqual([]);
    for (const { level } of status().records()) expect(['INFO', 'WARNING']).toContain(level);
    const lines = status().output().split('\n');
    expect(lines.length, 'every line is a record').toBe(status().records().length);
  });
});

describe('the ids of an invocation', () => {
  const log = useFixture('log');

  test('are on what its handler logs', verifies('log:ids:handler'), async () => {
    const answer = await post(log().port, '/invocations?agent_session_id=s1', {
      headers: { [INVOCATION_ID]: 'i1', 'x-client-probe': 'p1' },
    });
    expect(answer.text).toBe('x');
    expectIds(await log().record(({ message }) => message === 'in-handler p1', 'of the handler'), 'i1', 's1');
    const made = await post(log().port, '/invocations', { headers: { 'x-client-probe': 'p2' } });
    const record = await log().record(({ message }) => message === 'in-handler p2', 'of the handler');
    expectIds(record, made.header(INVOCATION_ID), made.header(SESSION_ID));
  });

  test('are on what is logged while its stream is written', verifies('log:ids:stream', 'identity:apart'), async () => {
    await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        post(log().port, `/invocations?sse=1&agent_session_id=ss${n}`, {
          headers: { [INVOCATION_ID]: `si${n}`, 'x-client-probe': `sp${n}` },
        }),
      ),
    );
    for (let n = 0; n < 12; n += 1) {
      for (const where of ['in-handler', 'in-stream']) {
        const record = await log().record(({ message }) => message === `${where} sp${n}`, where);
        expectIds(record, `si${n}`, `ss${n}`);
        expect(record.level).toBe('INFO');
      }
    }
  });

  test('are empty outside of one, however busy the server is', verifies('log:ids:outside'), async () => {
    await Promise.all(Array.from({ length: 30 }, () => post(log().port, '/invocations?sse=1')));
    await log().record(
      () =>
        log()
          .records()
          .filter(({ message }) => message === 'tick').length >= 3,
      'of three ticks',
    );
    for (const record of log()
      .records()
      .filter(({ message }) => message === 'tick'))
      expectIds(record, '', '');
  });

  test('are on the records of GET and cancel', verifies('log:ids:get-cancel', 'log:error:get-cancel'), async () => {
    await withFixture('boom', { FOUNDRY_AGENT_SESSION_ID: 'env-s' }, async (boom) => {
      await get(boom.port, '/invocations/g1?agent_session_id=q');
      await post(boom.port, '/invocations/c1/cancel');
      const read = await boom.record(
        ({ message }) => message === 'Error in get_invocation g1: secret-detail-42',
        'of GET',
      );
      const cancelled = await boom.record(
        ({ message }) => message === 'Error in cancel_invocation c1: secret-detail-42',
        'of cancel',
      );
      expectIds(read, 'g1', 'q');
      expectIds(cancelled, 'c1', 'env-s');
      for (const record of [read, cancelled]) {
        expect(record.level).toBe('ERROR');
        expect(record.line, 'the stack').toMatch(/conformance-agent/);
      }
    });
  });
});

describe('ERROR lines', () => {
  const boom = useFixture('boom');
  const nyi = useFixture('nyi');
  const none = useFixture('none');
  const plat = useFixture('plat');

  test('tell which invocation failed and why', verifies('log:error:invocation'), async () => {
    await post(boom().port, '/invocations', { headers: { [INVOCATION_ID]: 'e1' } });
    const error = await boom().record(
      ({ message }) => message === 'Error processing invocation e1: secret-detail-42',
      'of the failure',
    );
    expect(error.level).toBe('ERROR');
    expect(error.line).toMatch(/conformance-agent/);
    expectIds(error, 'e1', /.+/);
    expect(
      boom()
        .records()
        .filter(({ level }) => level === 'ERROR').length,
    ).toBe(1);
  });

  test('tell what is not implemented', verifies('log:error:not-implemented'), async () => {
    await post(nyi().port, '/invocations', { headers: { [INVOCATION_ID]: 'n1' } });
    expect((await nyi().record(({ message }) => message === 'Invocation n1 failed: later', 'of the 501')).level).toBe(
      'ERROR',
    );
    await get(nyi().port, '/invocations/n2');
    await nyi().record(
      ({ level, message }) => level === 'ERROR' && message === 'Error in get_invocation n2: later',
      'of GET',
    );
    await post(none().port, '/invocations', { headers: { [INVOCATION_ID]: 'n3' } });
    await none().record(
      ({ level, message }) => level === 'ERROR' && message.startsWith('Invocation n3 failed: '),
      'of no handler',
    );
  });

  test('are not broken by what the exception says', verifies('log:no-forgery', 'log:error:invocation'), async () => {
    const lines = plat().output().split('\n').length;
    await post(plat().port, '/invocations', {
      headers: { [INVOCATION_ID]: 'm1', 'x-client-msg': 'one\\r\\n2026 ERROR two\\u0000\\u001b[31m' },
    });
    const error = await plat().record(
      ({ message }) => message.startsWith('Error processing invocation m1: one'),
      'of the failure',
    );
    expect(error.level).toBe('ERROR');
    expect(error.line).not.toContain('\u001b');
    await linesOf(plat(), 'GET', '/nope', 'm2');
    const rest = plat().output().split('\n').slice(lines);
    expect(rest.filter((line) => !line.startsWith('{') && !/^\S+ (INFO|WARNING|ERROR) |^\s+at /.test(line))).toEqual(
      [],
    );
  });
});

describe('exported log records', () => {
  test(
    'carry every entry of the current baggage and the ids of the span',
    verifies('log:otel:baggage', 'trace:otlp'),
    async () => {
      const sink = await startOtlpSink();
      await withFixture('otel', { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url }, async (otel) => {
        for (const mode of ['', '&sse=1']) {
          const id = `log-${mode.length}`;
          await post(otel.port, `/invocations?log=1&agent_session_id=s-log${mode}`, {
            headers: {
              [INVOCATION_ID]: id,
              baggage: 'tenant=t%201,feature=on;meta=x',
              traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
            },
          });
          const log = await sink.waitForLog(
            (record) => record.body === 'otel-log' && record.attributes['azure.ai.agentserver.invocation_id'] === id,
          );
          expect(log.attributes).toMatchObject({
            tenant: 't 1',
            feature: 'on',
            'azure.ai.agentserver.invocation_id': id,
            'azure.ai.agentserver.session_id': 's-log',
          });
          expect(log.traceId).toBe(TRACE);
          const span = await sink.waitForSpan(({ name, spanId }) => name === 'framework_op' && spanId === log.spanId);
          expect(span.traceId).toBe(TRACE);
        }
      });
      await sink.close();
    },
  );
});

/** Sends a request under its own request id and waits for its two lines. */
async function linesOf(
  fixture: FixtureProcess,
  method: string,
  target: string,
  id: string,
  headers: Record<string, string> = {},
): Promise<{ start: LogRecord; end: LogRecord }> {
  const before = fixture.records().length;
  const wire = await Wire.open(fixture.port);
  wire.ask({ method, target, headers: { 'x-request-id': id, ...headers }, ...(method === 'POST' ? { body: '' } : {}) });
  await wire.answer(method);
  wire.close();
  const isEnd = (record: LogRecord) => /complete/i.test(record.message) && record.message.includes(id);
  const end = await fixture.record(isEnd, `of the end of ${id}`);
  const path = target.split('?')[0] ?? '';
  const start = fixture
    .records()
    .slice(before)
    .find(({ message }) => /start/i.test(message) && message.includes(`${method} ${path}`));
  return { start: start ?? expect.fail(`no start line of ${id}`), end };
}

function expectIds(
  record: LogRecord,
  invocationId: string | RegExp | undefined,
  sessionId: string | RegExp | undefined,
): void {
  for (const [name, wanted] of [
    ['invocation_id', invocationId],
    ['session_id', sessionId],
  ] as const) {
    const value = record.field(name);
    if (wanted instanceof RegExp) expect(value, name).toMatch(wanted);
    else expect(value, `${name} in ${record.line}`).toBe(wanted);
  }
}
