/** What a turn lets out of personal data: in its events, in what is stored of it, in what the model is told. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Tool } from '../../src/agents/tool.ts';
import { loadValidators } from '../../src/governance/screening/detector/validators.ts';
import { createRules } from '../../src/governance/screening/detector.ts';
import { createEgress, type Egress } from '../../src/governance/screening/egress.ts';
import { defaultPolicy, type ScreeningAction } from '../../src/governance/screening/policy.ts';
import { type Death, MemoryRun } from '../support/run-scope.ts';
import { type Script, scriptedModel } from '../support/scripted-model.ts';
import { turnProgram } from '../support/turn.ts';

const rules = createRules(await loadValidators(), []);
const egressOf = (action: ScreeningAction): Egress => createEgress(rules, { ...defaultPolicy, action });
const wanting = (action: ScreeningAction) => ({ egress: async () => egressOf(action) });

const TEXT = 'Card 4111 1111 1111 1111, mail jo@example.com, call +1 415-555-2671. Done.';
const REDACTED = 'Card [CARD], mail [EMAIL], call [PHONE]. Done.';
const RAW = /4111|1111|jo@|example\.com|415-|2671/;

function cutAt(cuts: readonly number[]): Script {
  const places = [...new Set(cuts)].sort((one, other) => one - other);
  const ends = [...places, TEXT.length];
  return ends.map((end, index) => TEXT.slice(places[index - 1] ?? 0, end));
}

/** The text as a follower puts it together. */
function followed(run: MemoryRun): string {
  let text = '';
  for (const event of run.events) {
    if (event.type === 'turn.restarted') text = '';
    if (event.type === 'turn.delta') {
      expect(event.data.offset).toBe(text.length);
      text += event.data.text;
    }
  }
  return text;
}

const cuts = fc.array(fc.integer({ min: 1, max: TEXT.length - 1 }), { maxLength: 6 });
const death: fc.Arbitrary<Death> = fc.record({
  at: fc.constantFrom('before-emit', 'after-emit', 'before-step-stored', 'after-step-stored'),
  nth: fc.integer({ min: 1, max: 4 }),
});

describe('where values are redacted', () => {
  it('the text of a turn has tokens, however it is cut, and whenever the process dies', async () => {
    await fc.assert(
      fc.asyncProperty(cuts, cuts, fc.array(death, { maxLength: 2 }), async (first, second, deaths) => {
        const run = new MemoryRun({ message: 'x' });
        const model = scriptedModel((_brief, nth) => cutAt(nth === 0 ? first : second));
        const program = turnProgram({ model, ...wanting('REDACT') });
        let result: unknown = 'died';
        for (const next of [...deaths, undefined]) {
          result = await run.execute(program, next === undefined ? {} : { death: next });
        }
        expect(result).toMatchObject({ output: REDACTED });
        expect(followed(run)).toBe(REDACTED);
        expect(run.types.filter((type) => type === 'turn.restarted')).toEqual([]);
        expect(run.events.filter(({ type }) => type === 'screening.found')).toHaveLength(1);
        expect(JSON.stringify([run.events.map(({ data }) => data), run.recorded('chat/1')])).not.toMatch(RAW);
      }),
      { numRuns: 60 },
    );
  });

  it('another text after a death voids the one before, and is redacted as well', async () => {
    const run = new MemoryRun({ message: 'x' });
    const model = scriptedModel((_brief, nth) => (nth === 0 ? [TEXT, ' And'] : ['Mail ann@example.com instead.']));
    const program = turnProgram({ model, ...wanting('REDACT') });
    expect(await run.execute(program, { death: { at: 'before-step-stored', nth: 1 } })).toBe('died');
    expect(await run.execute(program)).toMatchObject({ output: 'Mail [EMAIL] instead.' });
    expect(followed(run)).toBe('Mail [EMAIL] instead.');
    expect(run.types.filter((type) => type === 'turn.restarted')).toHaveLength(1);
  });

  it('what a tool gives is told, kept and shown to the model with tokens', async () => {
    const model = scriptedModel((_brief, nth) =>
      nth === 0 ? [{ tool: 'lookup', args: { who: 'jo@example.com' } }] : ['ok'],
    );
    const run = new MemoryRun({ message: 'x' });
    await run.execute(turnProgram({ model, tools: [lookup()], ...wanting('REDACT') }));
    expect(run.events.find(({ type }) => type === 'tool.called')?.data).toMatchObject({
      arguments: { who: '[EMAIL]' },
    });
    expect(run.events.find(({ type }) => type === 'tool.completed')?.data).toMatchObject({
      result: { phone: '[PHONE]', asked: '[EMAIL]' },
    });
    expect(JSON.stringify(model.asked[1]?.exchanges)).not.toMatch(RAW);
    const stored = run.stepOrder.map((name) => run.recorded(name));
    expect(JSON.stringify(stored)).not.toMatch(RAW);
  });

  it('what a tool fails with has tokens', async () => {
    const model = scriptedModel((_brief, nth) => (nth === 0 ? [{ tool: 'lookup', args: {} }] : ['ok']));
    const run = new MemoryRun({ message: 'x' });
    await run.execute(turnProgram({ model, tools: [lookup()], ...wanting('REDACT') }));
    expect(JSON.stringify(run.events.map(({ data }) => data))).not.toMatch(RAW);
  });
});

describe('where values are blocked', () => {
  it('an answer that holds some is withheld, and what was told of it has tokens', async () => {
    const run = new MemoryRun({ message: 'x' });
    const model = scriptedModel(() => cutAt([7, 20, 40]));
    await expect(run.execute(turnProgram({ model, ...wanting('BLOCK') }))).rejects.toMatchObject({
      code: 'unprocessable',
      reason: 'PII_BLOCKED',
      facts: { pii_types_found: ['credit_card', 'email', 'phone'], match_count: 3 },
    });
    expect(run.types).not.toContain('turn.completed');
    expect(JSON.stringify(run.events.map(({ data }) => data))).not.toMatch(RAW);
  });

  it('what a tool gives is withheld from the model too', async () => {
    const model = scriptedModel((_brief, nth) => (nth === 0 ? [{ tool: 'lookup', args: { who: 'Jo' } }] : ['ok']));
    const run = new MemoryRun({ message: 'x' });
    await run.execute(turnProgram({ model, tools: [lookup()], ...wanting('BLOCK') }));
    expect(run.events.find(({ type }) => type === 'tool.failed')?.data).toMatchObject({
      error: { code: 'PII_BLOCKED', message: expect.stringMatching(/withheld/) },
    });
    expect(JSON.stringify(model.asked[1]?.exchanges)).not.toMatch(RAW);
  });
});

describe('where values are only warned about', () => {
  it('the text goes as it comes, and what was in it is told', async () => {
    const run = new MemoryRun({ message: 'x' });
    const model = scriptedModel(() => cutAt([7, 20]));
    expect(await run.execute(turnProgram({ model, ...wanting('WARN') }))).toMatchObject({ output: TEXT });
    const found = run.events.find(({ type }) => type === 'screening.found');
    expect(found?.data).toMatchObject({ taken: 'warned', direction: 'out', count: 3 });
    expect(JSON.stringify(found?.data)).not.toMatch(RAW);
  });

  it('nothing is told where nothing is found, nor where nobody looks', async () => {
    for (const action of ['WARN', 'REDACT', 'BLOCK'] as const) {
      const run = new MemoryRun({ message: 'x' });
      await run.execute(turnProgram({ model: scriptedModel(() => ['fine']), ...wanting(action) }));
      expect(run.types).not.toContain('screening.found');
    }
    const run = new MemoryRun({ message: 'x' });
    await run.execute(turnProgram({ model: scriptedModel(() => [TEXT]), ...wanting('ALLOW') }));
    expect(run.types).not.toContain('screening.found');
  });
});

/** Gives the telephone number of somebody; fails, quoting one, when nobody is named. */
function lookup(): Tool<{ who?: string | undefined }> {
  return {
    name: 'lookup',
    version: '1',
    description: 'Looks somebody up.',
    input: z.object({ who: z.string().optional() }),
    effect: 'read',
    timeoutMs: 1000,
    async run({ who }) {
      const { AosError } = await import('../../src/core/errors.ts');
      if (who === undefined) throw new AosError('not_found', 'nobody has the number +1 415-555-2671');
      return { phone: '+1 415-555-2671', asked: who };
    },
  };
}
