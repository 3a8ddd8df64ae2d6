import { describe, expect, test } from 'vitest';
import { runInScope } from '../../src/core/call.ts';
import { createLog, createTurnSink } from '../../src/telemetry/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

function scene(level: 'DEBUG' | 'INFO' | 'ERROR' = 'INFO') {
  const lines: string[] = [];
  const exported: unknown[] = [];
  const log = createLog({
    level,
    sink: { write: (line) => lines.push(line) },
    onRecord: (...record) => exported.push(record),
  });
  return { log, exported, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('a record', () => {
  test('is one line of JSON with level, time, logger and message', () => {
    const { log, records } = scene();
    log.warn('two\nlines');
    expect(records()).toEqual([
      {
        level: 'WARNING',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        logger: 'azure.ai.agentserver',
        invocation_id: '',
        session_id: '',
        message: 'two\nlines',
      },
    ]);
  });

  test('carries the ids of the call it is written for, also after waiting', async () => {
    const { log, records } = scene();
    const call = { invocationId: 'inv', sessionId: 'ses', userId: '', callId: '' };
    await runInScope({ call, traceContext: undefined }, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      log.info('inside');
    });
    log.info('outside');
    expect(records()).toMatchObject([
      { message: 'inside', invocation_id: 'inv', session_id: 'ses' },
      { message: 'outside', invocation_id: '', session_id: '' },
    ]);
  });

  test('below the level is neither written nor exported', () => {
    const { log, records, exported } = scene('ERROR');
    log.info('quiet');
    log.error('loud', { attempt: 1 });
    expect(records().map((record) => record['message'])).toEqual(['loud']);
    expect(exported).toEqual([['error', 'loud', { attempt: 1 }]]);
  });

  test('shows an error with its type, message, stack and cause', () => {
    const { log, records } = scene();
    log.error('failed', { error: new TypeError('outer', { cause: new Error('inner') }) });
    expect(records()[0]?.['error']).toMatchObject({
      type: 'TypeError',
      message: 'outer',
      stack: expect.stringContaining('log.test.ts'),
      cause: { type: 'Error', message: 'inner' },
    });
  });

  test('stays one line of JSON whatever its fields and message hold', () => {
    const { log, records } = scene();
    const fields = { big: 1n, date: new Date(Number.NaN), nothing: undefined, 'we"ird\n': '\u2028', run() {} };
    log.info('quote " and\u0000', fields);
    expect(records()).toMatchObject([
      { message: 'quote " and\u0000', big: '1', date: 'Invalid Date', 'we"ird\n': '\u2028' },
    ]);
  });

  test('of a failure hides secrets its message quotes', () => {
    const { log, records } = scene();
    log.error('refused: postgres://aos:hunter2@db');
    expect(records()[0]?.['message']).toBe('refused: postgres://aos:[redacted]@db');
  });

  test('is exported without its secrets', () => {
    const { log, records, exported } = scene();
    log.info('calling', { apiKey: 'k', nested: [{ Authorization: 'Bearer abcdefgh12345' }] });
    const clean = { apiKey: '[redacted]', nested: [{ Authorization: '[redacted]' }] };
    expect(records()).toMatchObject([clean]);
    expect(exported).toEqual([['info', 'calling', clean]]);
  });
});

test('the lines of one turn of the event loop are written together, and a flush writes them at once', async () => {
  const written: string[] = [];
  const sink = createTurnSink((lines) => written.push(lines), new ManualClock());
  sink.write('a\n');
  sink.write('b\n');
  expect(written).toEqual([]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(written).toEqual(['a\nb\n']);
  sink.write('c\n');
  sink.flush();
  expect(written).toEqual(['a\nb\n', 'c\n']);
});

test('lines that follow on one another are gathered for a few milliseconds, and a first one is not', async () => {
  const written: string[] = [];
  const clock = new ManualClock();
  const sink = createTurnSink((lines) => written.push(lines), clock);
  sink.write('a\n');
  await clock.advance(0);
  expect(written).toEqual(['a\n']);
  sink.write('b\n');
  await clock.advance(9);
  sink.write('c\n');
  expect(written).toEqual(['a\n']);
  await clock.advance(1);
  expect(written).toEqual(['a\n', 'b\nc\n']);
  await clock.advance(100);
  expect(clock.armed).toBe(0);
  sink.write('d\n');
  await clock.advance(0);
  expect(written).toEqual(['a\n', 'b\nc\n', 'd\n']);
});

test('many lines are not gathered for long', () => {
  const written: string[] = [];
  const sink = createTurnSink((lines) => written.push(lines), new ManualClock());
  const line = `${'x'.repeat(1023)}\n`;
  for (let count = 0; count < 100; count++) sink.write(line);
  expect(written).toEqual([line.repeat(65)]);
});
