import { describe, expect, it } from 'vitest';
import { AosError } from '../../../src/core/errors.ts';
import type { RunProgram } from '../../../src/engine/engine.ts';
import { createEgress } from '../../../src/governance/screening/egress.ts';
import { defaultPolicy, type ScreeningAction } from '../../../src/governance/screening/policy.ts';
import { createScreenedProgram } from '../../../src/governance/screening/screened-program.ts';
import { MemoryRun } from '../../support/run-scope.ts';
import { rules } from './corpus.ts';

function screened(action: ScreeningAction, program: RunProgram): RunProgram {
  return createScreenedProgram({ egress: async () => createEgress(rules, { ...defaultPolicy, action }) }, program);
}

describe('a run whose tenant redacts', () => {
  it('ends with tokens in place of values', async () => {
    const run = new MemoryRun({});
    const ended = await run.execute(screened('REDACT', async () => ({ by: { mail: 'jo@example.com' }, sum: 12 })));
    expect(ended).toEqual({ by: { mail: '[EMAIL]' }, sum: 12 });
    expect(run.events.at(-1)).toMatchObject({ type: 'screening.found', data: { where: 'result', paths: ['by.mail'] } });
  });

  it('fails without a value in its words', async () => {
    const failing = screened('REDACT', async () => {
      throw new AosError('conflict', 'jo@example.com is there already', { reason: 'THERE' });
    });
    await expect(new MemoryRun({}).execute(failing)).rejects.toMatchObject({
      code: 'conflict',
      reason: 'THERE',
      message: '[EMAIL] is there already',
    });
  });

  it('tells events with tokens in their words, and leaves names and ids as they are', async () => {
    const run = new MemoryRun({});
    await run.execute(
      screened('REDACT', async (scope) => {
        await scope.emit('1', { type: 'run.stopped', data: { reason: 'asked by jo@example.com' } });
        await scope.step('s', async () => 'x', {
          event: () => ({
            key: '2',
            type: 'node.completed',
            data: { node: 'jo@example.com', visit: 1, node_type: 'tool', output: ['+1 415-555-2671'] },
          }),
        });
        return {};
      }),
    );
    expect(run.events.map(({ data }) => data)).toEqual([
      { reason: 'asked by [EMAIL]' },
      { node: 'jo@example.com', visit: 1, node_type: 'tool', output: ['[PHONE]'] },
    ]);
  });

  it('waits without saying a value', async () => {
    const run = new MemoryRun({});
    const waiting = screened('REDACT', async (scope) => {
      await scope.wait({ name: 'w', reason: 'input', detail: { question: 'May jo@example.com know?' } });
      return {};
    });
    expect(await run.go(waiting)).toBe('waiting');
    expect(run.waits[0]?.detail).toEqual({ question: 'May [EMAIL] know?' });
  });
});

it('a result that holds personal data is withheld where they are blocked', async () => {
  const run = new MemoryRun({});
  await expect(run.execute(screened('BLOCK', async () => ({ mail: 'jo@example.com' })))).rejects.toMatchObject({
    code: 'unprocessable',
    reason: 'PII_BLOCKED',
    message: expect.not.stringContaining('jo@'),
  });
});

it.each(['WARN', 'ALLOW'] as const)('with %s a result goes as it is', async (action) => {
  const run = new MemoryRun({});
  const result = { mail: 'jo@example.com' };
  expect(await run.execute(screened(action, async () => result))).toBe(result);
  expect(run.events).toEqual([]);
});
