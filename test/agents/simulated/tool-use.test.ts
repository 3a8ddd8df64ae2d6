import { describe, expect, it, test } from 'vitest';
import type { ToolAnswer } from '../../../src/agents/model.ts';
import { simulatedCalls, simulatedConclusion } from '../../../src/agents/simulated/tool-use.ts';
import { evaluate } from '../../../src/agents/standard-tools/expression.ts';
import { testAgent } from '../../support/agents.ts';

const ALL = ['calculator', 'date_time', 'search_documents', 'http_fetch', 'record_decision'];
const callsFor = (message: string, offered: readonly string[] = ALL) =>
  simulatedCalls(
    { kind: 'chat', agent: testAgent('cfo'), messages: [{ role: 'user', content: message }], today: '2026-02-01' },
    offered,
  ).map(({ name, arguments: given }) => [name, JSON.parse(given)]);

describe('the simulated model asks for a tool', () => {
  test('to hand work to another agent', () => {
    const args = { agent_id: 'cfo', task: 'what does it cost?' };
    expect(callsFor('Delegate to cfo: what does it cost?', ['delegate'])).toEqual([['delegate', args]]);
    expect(callsFor('Delegate to cfo: what does it cost?')).toEqual([]);
  });

  test.each([
    ['what is 17 * 23?', 'calculator', { expression: '17 * 23' }],
    ['What is 17*23?', 'calculator', { expression: '17*23' }],
    ['17 * 23 =', 'calculator', { expression: '17 * 23' }],
    ['Compute (1,200 - 950) / 950 for me', 'calculator', { expression: '(1200 - 950) / 950' }],
    ['calculate 2 x 3 + 4', 'calculator', { expression: '2 * 3 + 4' }],
    ['Is 1/2 of the team remote?', 'calculator', { expression: '1/2' }],
    ['How much is 2^10?', 'calculator', { expression: '2^10' }],
    ['what day is it?', 'date_time', { operation: 'now' }],
    ["What's the date today?", 'date_time', { operation: 'now' }],
    ['What time is it in Asia/Tokyo?', 'date_time', { operation: 'now', time_zone: 'Asia/Tokyo' }],
    ['What weekday is 2026-03-01?', 'date_time', { operation: 'weekday', date: '2026-03-01' }],
    ['How many days until 2026-12-31?', 'date_time', { operation: 'difference', until: '2026-12-31' }],
    [
      'how many days are there between 2026-01-01 and 2026-03-01?',
      'date_time',
      { operation: 'difference', date: '2026-01-01', until: '2026-03-01' },
    ],
    ['Search the documents for the lease.', 'search_documents', { query: 'the lease' }],
    ['Fetch https://example.org/a?b=c.', 'http_fetch', { url: 'https://example.org/a?b=c' }],
    ['please read "http://127.0.0.1:8080/x"', 'http_fetch', { url: 'http://127.0.0.1:8080/x' }],
    ['Record the decision: we stay in Berlin.', 'record_decision', { decision: 'we stay in Berlin.' }],
    ['please record our decision that we hire 2', 'record_decision', { decision: 'we hire 2' }],
  ])('%s', (message, name, args) => {
    expect(callsFor(message)).toEqual([[name, args]]);
    expect(callsFor(message, [])).toEqual([]);
    if (name === 'calculator' && 'expression' in args) expect(Number.isFinite(evaluate(args.expression))).toBe(true);
  });

  test.each([
    'What do you think of the plan for 2026-2027?',
    'We met on 2026-02-01.',
    'Our revenue is 1,200 and our costs are 950.',
    'Do we need 5-10 people?',
    'Is https://example.org ours?',
    'My email is a+b@example.org',
    'What should we do in the next quarter?',
    'How long does it take?',
    'Who are you?',
    'We made a decision yesterday.',
    'Remind me what day we met.',
    '',
  ])('and not for any when nothing plainly asks for one: %s', (message) => {
    expect(callsFor(message)).toEqual([]);
  });
});

describe('what it says then', () => {
  const said = (name: string, answer: ToolAnswer) =>
    simulatedConclusion([{ text: '', calls: [{ id: '1', name, arguments: '{}', answer }] }]);

  it('is made of what the tool gave', () => {
    expect(said('calculator', { result: { expression: '17 * 23', result: 391 } })).toBe('17 * 23 is 391.');
    expect(
      said('date_time', {
        result: {
          iso: '2026-02-01T10:30:00Z',
          date: '2026-02-01',
          time: '10:30:00',
          weekday: 'Sunday',
          time_zone: 'UTC',
        },
      }),
    ).toBe('2026-02-01 is a Sunday, 10:30:00 UTC.');
    expect(said('date_time', { result: { iso: '2026-03-01', date: '2026-03-01', weekday: 'Sunday' } })).toBe(
      '2026-03-01 is a Sunday.',
    );
    expect(said('date_time', { result: { from: '2026-01-01', until: '2026-03-01', days: 59 } })).toBe(
      'From 2026-01-01 until 2026-03-01 it is 59 days.',
    );
    expect(said('search_documents', { result: { passages: [{ title: 'Lease', passage: 'It ends in March.' }] } })).toBe(
      'Lease says: “It ends in March”.',
    );
    expect(said('search_documents', { result: { passages: [] } })).toBe(
      'The documents of this session say nothing about it.',
    );
    expect(said('http_fetch', { result: { url: 'https://example.org/', status: 200, text: 'Hello' } })).toBe(
      'https://example.org/ answered with 200: Hello',
    );
    expect(said('record_decision', { result: { recorded: 'we stay', document: 'doc_1' } })).toBe(
      'The decision is recorded: “we stay”.',
    );
    expect(said('other', { result: [1] })).toBe('other gave [1].');
  });

  it('says so when a tool failed or was not allowed', () => {
    expect(said('record_decision', { error: { code: 'cancelled', message: 'it was rejected: too early.' } })).toBe(
      'I could not use record_decision: it was rejected: too early.',
    );
  });
});
