import { expect, test } from 'vitest';
import { createTextSink } from '../../src/telemetry/log-text.ts';

function asText(lines: string): string {
  let text = '';
  createTextSink((written) => {
    text += written;
  }).write(lines);
  return text;
}

test('a record is one line: time, level, message, then the fields that say something more', () => {
  const record = {
    level: 'INFO',
    time: '2026-01-02T03:04:05.678Z',
    logger: 'azure.ai.agentserver',
    invocation_id: '',
    session_id: 's-1',
    port: 8088,
    message: 'Server started: port=8088',
    detail: { a: 1 },
  };
  expect(asText(`${JSON.stringify(record)}\n${JSON.stringify({ ...record, message: 'Started' })}\n`)).toBe(
    '03:04:05.678 INFO    Server started: port=8088 session_id=s-1 detail={"a":1}\n' +
      '03:04:05.678 INFO    Started session_id=s-1 port=8088 detail={"a":1}\n',
  );
});

test('what is no record passes as it is', () => {
  expect(asText('(node:1) Warning\n')).toBe('(node:1) Warning\n');
});
