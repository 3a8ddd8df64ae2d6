import { describe, expect, test } from 'vitest';
import { type FixtureEnv, type FixtureProcess, pause, startFixture, withFixture } from './fixture-process.ts';
import { SESSION_ID } from './protocol-checks.ts';
import { OPCODE, SocketWire } from './socket-wire.ts';
import { verifies } from './verifies.ts';
import { get, post, Wire } from './wire.ts';

const FIELD = 'azure.ai.agentserver.invocations_ws';

describe('shutdown', { concurrent: true }, () => {
  test.for(['SIGTERM', 'SIGINT'] as const)(
    '%s ends an idle server with 0',
    verifies('shutdown:signals', 'log:levels'),
    async (signal) => {
      await withFixture('echo', {}, async (fixture) => {
        await post(fixture.port, '/invocations', { body: 'x' });
        fixture.signal(signal);
        expect(await fixture.exit).toEqual({ code: 0, signal: null });
        expect(fixture.records().filter(({ level }) => level !== 'INFO')).toEqual([]);
      });
    },
  );

  test(
    'a request in flight finishes, and new connections are refused meanwhile',
    verifies('shutdown:drain', 'shutdown:listener-closes'),
    async () => {
      await withFixture('slow', {}, async (fixture) => {
        const running = post(fixture.port, '/invocations?ms=1500');
        await fixture.record(({ message }) => message.includes('/invocations'), 'of the request');
        fixture.signal('SIGTERM');
        await refused(fixture);
        await expect(Wire.open(fixture.port)).rejects.toThrow('ECONNREFUSED');
        const answer = await running;
        expect([answer.status, answer.text, answer.complete]).toEqual([200, 'done', true]);
        expect(answer.header('connection')).toBe('close');
        expect((await fixture.exit).code).toBe(0);
      });
    },
  );

  test('a stream in flight finishes', verifies('shutdown:drain'), async () => {
    await withFixture('sse', {}, async (fixture) => {
      const wire = await Wire.open(fixture.port);
      wire.ask({ method: 'POST', target: '/invocations?n=4&gap=250', body: '' });
      const head = await wire.head();
      expect((await wire.chunk()).toString()).toBe('data: 1\n\n');
      fixture.signal('SIGTERM');
      const rest: string[] = [];
      for await (const chunk of wire.body(head)) rest.push(chunk.toString());
      expect(rest.join('')).toBe('data: 2\n\ndata: 3\n\ndata: 4\n\n');
      expect((await fixture.exit).code).toBe(0);
      expect(fixture.markers('closed').map((line) => line.replace(/inv=\S+ /, ''))).toEqual(['closed pulled=4']);
    });
  });

  test('a body still being uploaded is read to its end', verifies('shutdown:drain'), async () => {
    await withFixture('echo', {}, async (fixture) => {
      const wire = await Wire.open(fixture.port);
      wire.ask({ method: 'POST', target: '/invocations', headers: { 'content-length': '10' } });
      wire.write('half.');
      await fixture.record(({ message }) => message.includes('/invocations'), 'of the request');
      fixture.signal('SIGTERM');
      await refused(fixture);
      wire.write('whole');
      expect((await wire.answer('POST')).text).toBe('half.whole');
      expect((await fixture.exit).code).toBe(0);
    });
  });

  test(
    'on an open connection later requests of a drain are answered and told to close',
    verifies('shutdown:keep-alive'),
    async () => {
      await withFixture('slow', {}, async (fixture) => {
        const wire = await Wire.open(fixture.port);
        const pipelined = 'POST /invocations?ms=800 HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n';
        wire.write(pipelined);
        await fixture.record(({ message }) => message.includes('/invocations'), 'of the request');
        fixture.signal('SIGTERM');
        await refused(fixture);
        const answer = await wire.answer('POST');
        expect([answer.status, answer.text, answer.header('connection')]).toEqual([200, 'done', 'close']);
        await wire.end();
        expect((await fixture.exit).code).toBe(0);
      });
    },
  );

  test(
    'a connection that was idle when the drain began is still answered',
    verifies('shutdown:keep-alive'),
    async () => {
      await withFixture('slow', {}, async (fixture) => {
        const idle = await Wire.open(fixture.port);
        idle.ask({ target: '/readiness' });
        expect((await idle.answer()).status).toBe(200);
        const running = post(fixture.port, '/invocations?ms=1500');
        await fixture.record(({ message }) => message.includes('/invocations'), 'of the request');
        fixture.signal('SIGTERM');
        await refused(fixture);
        idle.ask({ method: 'POST', target: '/invocations', body: 'late' });
        const answer = await idle.answer('POST');
        expect([answer.status, answer.text, answer.header('connection')]).toEqual([200, 'done', 'close']);
        await idle.end();
        expect((await running).text).toBe('done');
        expect((await fixture.exit).code).toBe(0);
      });
    },
  );

  test(
    'with a shutdown time of 0 open WebSockets still learn of the end',
    verifies('shutdown:timeout:zero', 'shutdown:websocket'),
    async () => {
      await withFixture('wsecho', { FIXTURE_SHUTDOWN_TIMEOUT: '0', FIXTURE_HOOK: 'mark' }, async (fixture) => {
        const socket = await SocketWire.open(fixture.port, '/invocations_ws?wait=60000');
        fixture.signal('SIGTERM');
        expect((await socket.ending()).map(({ code }) => code)).toEqual([1011]);
        expect((await fixture.exit).code).toBe(0);
        const records = fixture.records().filter(({ message }) => /connection closed/.test(message));
        expect(records.map((record) => record.field(`${FIELD}.error.code`))).toEqual(['cancelled']);
        expect(fixture.markers()).toEqual([]);
      });
    },
  );

  test('idle and half-asked connections hold nothing up', verifies('shutdown:keep-alive'), async () => {
    await withFixture('echo', {}, async (fixture) => {
      const idle = await Wire.open(fixture.port);
      idle.ask({ target: '/readiness' });
      expect((await idle.answer()).status).toBe(200);
      const silent = await Wire.open(fixture.port);
      const started = performance.now();
      fixture.signal('SIGTERM');
      expect((await fixture.exit).code).toBe(0);
      expect(performance.now() - started, 'well before the shutdown time').toBeLessThan(8000);
      silent.close();
    });
  });

  test(
    'what outlasts the shutdown time is cut and the exit code is 0',
    verifies('shutdown:timeout', 'shutdown:hook'),
    async () => {
      await withFixture('slow', { FIXTURE_SHUTDOWN_TIMEOUT: '1', FIXTURE_HOOK: 'mark' }, async (fixture) => {
        const wire = await Wire.open(fixture.port);
        wire.ask({ method: 'POST', target: '/invocations?ms=60000', body: '' });
        await fixture.record(({ message }) => message.includes('/invocations'), 'of the request');
        const started = performance.now();
        fixture.signal('SIGTERM');
        await wire.end();
        expect((await fixture.exit).code).toBe(0);
        const elapsed = performance.now() - started;
        expect(elapsed).toBeGreaterThan(900);
        expect(elapsed).toBeLessThan(8000);
        expect(fixture.markers()).toEqual(['hook-start', 'hook-end']);
      });
    },
  );

  test(
    'an endless stream is cut at the end of the shutdown time and its source closed',
    verifies('shutdown:timeout', 'disconnect:stream'),
    async () => {
      await withFixture('sse', { FIXTURE_SHUTDOWN_TIMEOUT: '1', FIXTURE_HOOK: 'mark' }, async (fixture) => {
        const wire = await Wire.open(fixture.port);
        wire.ask({ method: 'POST', target: '/invocations?n=inf&gap=50', body: '' });
        await wire.head();
        await wire.chunk();
        fixture.signal('SIGTERM');
        await wire.end();
        expect((await fixture.exit).code).toBe(0);
        expect(
          fixture
            .markers()
            .map((line) => line.split(' ')[0])
            .sort(),
        ).toEqual(['closed', 'hook-end', 'hook-start', 'opened']);
      });
    },
  );

  test.for(['0', '-1'])(
    'a shutdown time of %s ends at once and skips the hook',
    verifies('shutdown:timeout:zero'),
    async (timeout) => {
      await withFixture('slow', { FIXTURE_SHUTDOWN_TIMEOUT: timeout, FIXTURE_HOOK: 'mark' }, async (fixture) => {
        const wire = await Wire.open(fixture.port);
        wire.ask({ method: 'POST', target: '/invocations?ms=60000', body: '' });
        await fixture.record(({ message }) => message.includes('/invocations'), 'of the request');
        fixture.signal('SIGTERM');
        await wire.end();
        expect((await fixture.exit).code).toBe(0);
        expect(fixture.markers()).toEqual([]);
      });
    },
  );

  test('the hook runs once, after the drain', verifies('shutdown:hook'), async () => {
    await withFixture('sse', { FIXTURE_HOOK: 'sleep:300' }, async (fixture) => {
      const running = post(fixture.port, '/invocations?n=3&gap=200');
      await fixture.marker('opened');
      fixture.signal('SIGTERM');
      expect((await running).complete).toBe(true);
      expect((await fixture.exit).code).toBe(0);
      expect(fixture.markers().map((line) => line.split(' ')[0])).toEqual([
        'opened',
        'closed',
        'hook-start',
        'hook-end',
      ]);
      expect(fixture.records().filter(({ level }) => level !== 'INFO')).toEqual([]);
    });
  });

  test('a hook that throws is a warning', verifies('shutdown:hook:throws'), async () => {
    await withFixture('echo', { FIXTURE_HOOK: 'throw' }, async (fixture) => {
      fixture.signal('SIGTERM');
      expect((await fixture.exit).code).toBe(0);
      expect(fixture.markers()).toEqual(['hook-start']);
      const warnings = fixture.records().filter(({ level }) => level === 'WARNING');
      expect(warnings.map(({ line }) => line.includes('hook failed'))).toEqual([true]);
      expect(fixture.records().filter(({ level }) => level === 'ERROR')).toEqual([]);
    });
  });

  test('a hook that outlasts the time is a warning and is left behind', verifies('shutdown:hook:overrun'), async () => {
    await withFixture('echo', { FIXTURE_HOOK: 'sleep:60000', FIXTURE_SHUTDOWN_TIMEOUT: '1' }, async (fixture) => {
      const started = performance.now();
      fixture.signal('SIGTERM');
      expect((await fixture.exit).code).toBe(0);
      expect(performance.now() - started).toBeLessThan(8000);
      expect(fixture.markers()).toEqual(['hook-start']);
      expect(fixture.records().filter(({ level }) => level === 'WARNING').length).toBe(1);
    });
  });

  test(
    'running handlers learn of it through their signal',
    verifies('shutdown:abort-signal', 'shutdown:drain'),
    async () => {
      await withFixture('hang', {}, async (fixture) => {
        const running = post(fixture.port, '/invocations', { headers: { 'x-agent-invocation-id': 'hangs' } });
        await fixture.marker('started');
        fixture.signal('SIGTERM');
        await fixture.marker('aborted', 'inv=hangs');
        const answer = await running;
        expect([answer.status, answer.text]).toEqual([200, 'aborted']);
        expect((await fixture.exit).code).toBe(0);
      });
    },
  );

  test.for(['wsecho', 'wsraw'])(
    'open WebSockets of %s are closed with 1011 and logged as cancelled',
    verifies('shutdown:websocket', 'ws:close-record'),
    async (name) => {
      await withFixture(name, { FIXTURE_SHUTDOWN_TIMEOUT: '2', FIXTURE_HOOK: 'mark' }, async (fixture) => {
        const sockets = await Promise.all([1, 2, 3].map(() => SocketWire.open(fixture.port)));
        fixture.signal('SIGTERM');
        for (const socket of sockets) {
          const closes = await socket.ending();
          expect(closes.map(({ code }) => code)).toEqual([1011]);
        }
        expect((await fixture.exit).code).toBe(0);
        const records = fixture.records().filter(({ message }) => /connection closed/.test(message));
        expect(records.map((record) => record.field(`${FIELD}.session_id`)).sort()).toEqual(
          sockets.map(({ head }) => head.header(SESSION_ID)).sort(),
        );
        for (const record of records) {
          expect([record.level, record.field(`${FIELD}.close_code`), record.field(`${FIELD}.error.code`)]).toEqual([
            'INFO',
            1011,
            'cancelled',
          ]);
        }
        expect(fixture.markers()).toEqual(['hook-start', 'hook-end']);
      });
    },
  );

  test(
    'a WebSocket whose handler heeds nothing is closed at the end of the shutdown time',
    verifies('shutdown:websocket', 'shutdown:timeout'),
    async () => {
      await withFixture('wsecho', { FIXTURE_SHUTDOWN_TIMEOUT: '1' }, async (fixture) => {
        const socket = await SocketWire.open(fixture.port, '/invocations_ws?wait=60000');
        fixture.signal('SIGTERM');
        expect((await socket.ending()).map(({ code }) => code)).toEqual([1011]);
        expect((await fixture.exit).code).toBe(0);
        const records = fixture.records().filter(({ message }) => /connection closed/.test(message));
        expect(records.map((record) => record.field(`${FIELD}.error.code`))).toEqual(['cancelled']);
      });
    },
  );

  test(
    'a WebSocket client that does not answer the close holds nothing up',
    verifies('shutdown:websocket', 'shutdown:timeout'),
    async () => {
      await withFixture('wsecho', { FIXTURE_SHUTDOWN_TIMEOUT: '1' }, async (fixture) => {
        const socket = await SocketWire.open(fixture.port);
        socket.send(OPCODE.text, 'hi');
        expect(await socket.text()).toBe('hi');
        socket.wire.socket.pause();
        const started = performance.now();
        fixture.signal('SIGTERM');
        expect((await fixture.exit).code).toBe(0);
        expect(performance.now() - started).toBeLessThan(10_000);
        socket.wire.close();
      });
    },
  );

  test(
    'without spans, hooks and options a drained process leaves within the second',
    verifies('shutdown:signals'),
    async () => {
      const fixture = await startFixture('none', {} satisfies FixtureEnv);
      expect((await get(fixture.port, '/readiness')).status).toBe(200);
      const started = performance.now();
      fixture.signal('SIGTERM');
      expect((await fixture.exit).code).toBe(0);
      expect(performance.now() - started).toBeLessThan(5000);
      await fixture.dispose();
    },
  );
});

/** Resolves when the listener of a stopping server is closed. */
async function refused(fixture: FixtureProcess): Promise<void> {
  for (;;) {
    try {
      (await Wire.open(fixture.port)).close();
    } catch {
      return;
    }
    await pause(10);
  }
}
