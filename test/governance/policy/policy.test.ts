import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { loadConditions } from '../../../src/governance/policy/condition.ts';
import { conditionInput, createPolicy } from '../../../src/governance/policy/policy.ts';
import { ruleTestSchema, tryCase } from '../../../src/governance/policy/rule-test.ts';
import { loadPolicy, readJsonFile } from '../../../src/governance/rule-file.ts';
import { testAction, testPolicy } from '../../support/governance.ts';

const conditions = await loadConditions();
const folder = join(import.meta.dirname, '../../../policies');
const files = (await readdir(folder)).filter((name) => name.endsWith('.test.json'));

describe.each(files)('the rules of %s', async (file) => {
  const path = join(folder, file);
  const { policy, cases } = ruleTestSchema.parse(await readJsonFile(path, 'tests'));
  const tested = await loadPolicy(join(dirname(path), policy), conditions);
  it.each(cases)('$it', (given) => {
    expect(tryCase(tested, given)).toBeUndefined();
  });
});

const decide = (rules: JsonObject[], change: Parameters<typeof testAction>[0] = {}, document: JsonObject = {}) =>
  testPolicy({ rules, ...document }).decide(conditionInput(testAction(change)));

const rule = (id: string, effect: string, more: JsonObject = {}): JsonObject => ({ id, effect, reason: id, ...more });

describe('a policy', () => {
  it.each<[string, JsonObject[], string, string]>([
    ['denies when one rule denies and another allows', [rule('a', 'allow'), rule('d', 'deny')], 'deny', 'd'],
    ['denies when one denies and another holds', [rule('h', 'hold'), rule('d', 'deny')], 'deny', 'd'],
    ['holds when one holds and another allows', [rule('a', 'allow'), rule('h', 'hold')], 'hold', 'h'],
    ['denies when no rule speaks', [rule('d', 'allow', { when: 'false' })], 'deny', 'default.deny'],
    ['denies when a denial cannot be judged', [rule('d', 'deny', { when: 'action.args.nope > 1' })], 'deny', 'd'],
    ['denies when a hold cannot be judged', [rule('h', 'hold', { when: 'action.args.nope > 1' })], 'deny', 'h'],
    [
      'does not allow by what cannot be judged',
      [rule('a', 'allow', { when: 'action.args.nope > 1' })],
      'deny',
      'default.deny',
    ],
    [
      'does not allow by comparing a number with a text',
      [rule('a', 'allow', { when: "action.args.amount < 'a'" })],
      'deny',
      'default.deny',
    ],
    [
      'judges a fraction against a whole number',
      [rule('a', 'allow', { when: 'action.args.amount <= 100' })],
      'allow',
      'a',
    ],
    [
      'asks only rules whose patterns cover the action',
      [rule('d', 'deny', { actions: ['tool:*'] })],
      'deny',
      'default.deny',
    ],
  ])('%s', (_title, rules, kind, id) => {
    expect(decide(rules, { args: { amount: 99.5 } })).toMatchObject({ kind, rule: id });
  });

  it('lets a development server do what no rule denies, and reads pass everywhere', () => {
    expect(decide([], { environment: 'development' })).toMatchObject({ kind: 'allow', rule: 'default.development' });
    const what = { ...testAction().what, effect: 'read' } as const;
    expect(decide([], { what })).toMatchObject({ kind: 'allow', rule: 'default.read' });
    for (const environment of ['test', 'staging', 'production'] as const) {
      expect(decide([], { environment })).toMatchObject({ kind: 'deny' });
    }
  });

  it('stops nothing in shadow mode, and says what it would have stopped', () => {
    expect(decide([rule('d', 'deny')], {}, { mode: 'shadow' })).toMatchObject({
      kind: 'allow',
      shadow: { kind: 'deny', rule: 'd' },
    });
    expect(decide([], {}, { mode: 'shadow' })).toMatchObject({ kind: 'allow', rule: 'default.shadow' });
    const mixed = [rule('d', 'deny', { mode: 'shadow' }), rule('h', 'hold')];
    expect(decide(mixed)).toMatchObject({ kind: 'hold', rule: 'h', shadow: { kind: 'deny', rule: 'd' } });
  });

  it('gives the same answer whatever the order of its rules', () => {
    const effects = fc.constantFrom('allow', 'deny', 'hold');
    const whens = fc.constantFrom('true', 'false', 'action.args.amount > 50', 'action.args.nope == 1');
    const rules = fc.uniqueArray(
      fc.record({
        id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
        effect: effects,
        when: whens,
        reason: fc.constant('r'),
      }),
      { selector: ({ id }) => id, maxLength: 5 },
    );
    fc.assert(
      fc.property(rules, (given) => {
        const kind = decide(given).kind;
        expect(decide(given.toReversed()).kind).toBe(kind);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['a condition that is no CEL', [rule('a', 'allow', { when: 'action.x ==' })], 'the condition of the rule "a"'],
    ['one that names what is not there', [rule('a', 'allow', { when: 'agent == "x"' })], 'agent'],
    ['one that is neither true nor false', [rule('a', 'allow', { when: '"x"' })], 'gives a string'],
    ['two rules of one id', [rule('a', 'allow'), rule('a', 'deny')], 'several rules have the id a'],
    ['approvers of a rule that allows', [rule('a', 'allow', { approvers: ['X'] })], 'does not hold anything'],
  ])('is refused with %s', (_what, rules, sentence) => {
    expect(() => createPolicy({ version: 1, name: 'x', rules }, conditions, 'the policy')).toThrow(sentence);
  });
});
