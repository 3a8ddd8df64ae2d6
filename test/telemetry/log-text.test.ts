import { expect, test } from 'vitest';
import { createTextSink } from '../../src/telemetry/log-text.ts';

function textOf(lines: string): string[] {
  const written: string[] = [];
  createTextSink((line) => written.push(line)).write(lines);
  return written;
}

const record = { level: 'INFO', time: '2026-02-01T10:11:12.345Z', logger: 'x', message: 'done', invocation_id: '' };

test.each([
  ['a record', record, '10:11:12.345 INFO    done\n'],
  [
    'its fields',
    { ...record, session_id: 's', count: 2, list: [1] },
    '10:11:12.345 INFO    done session_id=s count=2 list=[1]\n',
  ],
  ['fields the message says itself', { ...record, message: 'port=1', port: 1 }, '10:11:12.345 INFO    port=1\n'],
])('at a terminal %s is one line of text', (_name, given, expected) => {
  expect(textOf(`${JSON.stringify(given)}\n`)).toEqual([expected]);
});

test('several lines stay several, and what is not JSON passes as it is', () => {
  expect(textOf(`${JSON.stringify(record)}\nplain words\n`)).toEqual(['10:11:12.345 INFO    done\n', 'plain words\n']);
});
