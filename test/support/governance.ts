/** Governed actions and governors for tests. */
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Environment, GovernedAction, ProposedAction } from '../../src/governance/action.ts';
import type { ApprovalAsk, ApprovalDesk, ApprovalOutcome } from '../../src/governance/approval-desk.ts';
import {
  createGovernanceContext,
  createRuleChecks,
  createUnenforcedContext,
} from '../../src/governance/governor-rules.ts';
import { createGovernor, type GovernorParts } from '../../src/governance/governor-sequence.ts';
import { loadConditions } from '../../src/governance/policy/condition.ts';
import { createPolicy, type Policy } from '../../src/governance/policy/policy.ts';
import { defaultMatrix } from '../../src/governance/raci/default-matrix.ts';
import { createMatrix, type Matrix } from '../../src/governance/raci/matrix.ts';
import { silentLog } from './log.ts';

const conditions = await loadConditions();

export function testPolicy(document: JsonObject = {}): Policy {
  return createPolicy({ version: 1, name: 'test', rules: [], ...document }, conditions, 'the policy');
}

export const blueprint: Matrix = createMatrix(defaultMatrix);

/** The agent cfo updates an invoice of the ERP. */
export function testProposal(change: Partial<ProposedAction> = {}): ProposedAction {
  return {
    name: 'turn-1/tool-1',
    what: { kind: 'fabric', type: 'update', target: 'erp', actionClass: 'change', effect: 'external' },
    agentId: 'cfo',
    args: { invoice: 'I-7', amount: 100 },
    ...change,
  };
}

export function testAction(change: Partial<GovernedAction> = {}): GovernedAction {
  return {
    ...testProposal(),
    runId: 'run-1',
    caller: { tenantId: 'default', userId: 'ann' },
    environment: 'production',
    at: Date.UTC(2026, 1, 1),
    ...change,
  };
}

/** A desk that answers at once and remembers what it was asked. */
export function answeringDesk(
  answer: (ask: ApprovalAsk) => Partial<ApprovalOutcome> = () => ({}),
): ApprovalDesk & { readonly asked: ApprovalAsk[] } {
  const asked: ApprovalAsk[] = [];
  return {
    asked,
    async ask(scope, ask) {
      const stored = scope.recorded(`${ask.name}/approval`);
      if (stored !== undefined) return stored as unknown as ApprovalOutcome;
      asked.push(ask);
      const outcome: JsonObject = {
        decision: 'approved',
        approvalId: 'a-1',
        by: ['bob'],
        args: ask.args,
        edited: false,
        ...(answer(ask) as JsonObject),
      };
      return (await scope.step(`${ask.name}/approval`, async () => outcome)) as unknown as ApprovalOutcome;
    },
    decide() {
      throw new Error('nobody decides here');
    },
  };
}

export interface TestGovernorOptions extends Partial<GovernorParts> {
  readonly policy?: Policy;
  readonly matrix?: Matrix;
  readonly environment?: Environment;
}

export function testGovernor({ policy = testPolicy(), matrix = blueprint, ...parts }: TestGovernorOptions = {}) {
  const of = () => ({ matrix, policy });
  return createGovernor({
    environment: 'production',
    checks: createRuleChecks(of),
    context: createGovernanceContext(of),
    clock: systemClock,
    log: silentLog,
    ...parts,
  });
}

/** A governor where nothing is enforced. */
export function unenforcedGovernor({ matrix = blueprint, ...parts }: TestGovernorOptions = {}) {
  return createGovernor({
    environment: 'development',
    tellsAll: false,
    checks: [],
    context: createUnenforcedContext(() => matrix),
    clock: systemClock,
    log: silentLog,
    ...parts,
  });
}
