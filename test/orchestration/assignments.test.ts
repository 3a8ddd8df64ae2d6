import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assignmentsIn } from '../../src/orchestration/assignments.ts';
import { testAgent } from '../support/agents.ts';

const workers = [testAgent('cfo', { config: { title: 'Chief Financial Officer' } }), testAgent('cmo')];
const read = (text: string) => Object.fromEntries(assignmentsIn(text, workers));

test.each<[string, string, Record<string, string>]>([
  [
    'the block it was asked for',
    'Plan.\n```json\n{"assignments": {"cfo": "price it", "cmo": "sell it"}}\n```',
    { cfo: 'price it', cmo: 'sell it' },
  ],
  ['a block without its frame', 'So: {"cfo": "price it"} as said.', { cfo: 'price it' }],
  ['a bare object with the member', '{"assignments":{"CMO":"sell it"}}', { cmo: 'sell it' }],
  [
    'a list of objects',
    '```\n[{"agent_id": "cfo", "task": "price it"}, {"agent": "cmo", "assignment": "sell"}]\n```',
    { cfo: 'price it', cmo: 'sell' },
  ],
  [
    'objects and lists as parts',
    '{"cfo": {"task": "price it"}, "cmo": ["sell", "listen"]}',
    { cfo: 'price it', cmo: 'sell; listen' },
  ],
  ['lines with ids', '- cfo: price it\n- cmo: sell it', { cfo: 'price it', cmo: 'sell it' }],
  [
    'lines with titles and marks',
    '1. **Chief Financial Officer** (finance): price it\n2. **CMO** — sell it',
    { cfo: 'price it', cmo: 'sell it' },
  ],
  ['the block rather than the lines', 'cfo: something else\n```json\n{"cfo": "price it"}\n```', { cfo: 'price it' }],
  ['lines where the block is broken', '```json\n{"cfo": \n```\ncfo: price it', { cfo: 'price it' }],
  ['nothing for who is not of the group', 'cto: build it\n{"ceo": "lead"}', {}],
  ['nothing in empty parts', '{"cfo": "  ", "cmo": null}', {}],
  ['nothing at all', 'Let us all do our best.', {}],
])('reads %s', (_, text, parts) => {
  expect(read(text)).toEqual(parts);
});

test('reads back every part that was written as asked for', () => {
  const part = fc.string({ minLength: 1 }).filter((text) => text.trim() !== '' && !text.includes('```'));
  fc.assert(
    fc.property(part, part, fc.lorem(), (cfo, cmo, before) => {
      const text = `${before}\n\`\`\`json\n${JSON.stringify({ assignments: { cfo, cmo } })}\n\`\`\``;
      expect(read(text)).toEqual({ cfo: cfo.trim(), cmo: cmo.trim() });
    }),
  );
});

test('reads whatever is written without harm', () => {
  const anything = fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.stringMatching(/^[-*:`{}"\n cfo—(]{0,200}$/));
  fc.assert(
    fc.property(anything, (text) => {
      for (const part of Object.values(read(text))) expect(part.trim()).not.toBe('');
    }),
  );
});
