/**
 * What the gate costs: `governor.allow` for a tool that only reads, with RACI and policies of several sizes, beside
 * deciding by the policy alone. The scope of the run is one in memory: what only reads writes nothing of its own.
 */
import { systemClock } from '../../src/core/clock.ts';
import type { RunScope } from '../../src/engine/engine.ts';
import type { GovernedAction } from '../../src/governance/action.ts';
import { createGovernanceContext, createRuleChecks } from '../../src/governance/governor-rules.ts';
import { createGovernor } from '../../src/governance/governor-sequence.ts';
import { loadConditions } from '../../src/governance/policy/condition.ts';
import { conditionInput, createPolicy } from '../../src/governance/policy/policy.ts';
import { loadMatrix, loadPolicy } from '../../src/governance/rule-file.ts';
import { latencySummary } from '../measure/statistics.ts';
import { figure, table } from '../measure/table.ts';
import type { Effort, SectionResult } from '../section.ts';

const CALLS = 20_000;
const log = { debug() {}, info() {}, warn() {}, error() {} };

const caller = { tenantId: 'bench', userId: 'ann' };
/** As much of a scope as an action that only reads touches. */
const scope = {
  run: { id: 'run-1', caller },
  signal: new AbortController().signal,
  step() {
    throw new Error('what only reads has no step');
  },
  recorded: () => undefined,
  isSettled: () => false,
} as unknown as RunScope;

const proposal = {
  what: { kind: 'tool', type: 'search', target: null, actionClass: null, effect: 'read' },
  agentId: 'cfo',
  args: { query: 'invoices of last month', limit: 20, filter: { status: 'open', amount: 120.5 } },
} as const;

export async function benchGovernor(_effort: Effort): Promise<SectionResult> {
  const begun = systemClock.monotonic();
  const conditions = await loadConditions();
  const matrix = await loadMatrix(undefined, []);
  const shipped = await loadPolicy(undefined, conditions);
  const loadMs = systemClock.monotonic() - begun;
  const many = (count: number) =>
    createPolicy(
      {
        version: 1,
        name: `${count} rules`,
        rules: Array.from({ length: count }, (_none, index) => ({
          id: `rule-${index}`,
          effect: 'deny',
          when: `action.agent == 'agent-${index}' && action.args.limit > ${index + 100}`,
          reason: 'Not this.',
        })),
      },
      conditions,
      'the policy',
    );
  const rows: { what: string; microseconds: { p50: number; p99: number } }[] = [];
  for (const policy of [shipped, many(20), many(200)]) {
    const of = () => ({ matrix, policy });
    const governor = createGovernor({
      environment: 'production',
      checks: createRuleChecks(of),
      context: createGovernanceContext(of),
      clock: systemClock,
      log,
    });
    const what = `the gate, policy "${policy.document.name}"`;
    rows.push({
      what,
      microseconds: await timed(async (nth) => void (await governor.allow(scope, { ...proposal, name: `t/${nth}` }))),
    });
  }
  const action: GovernedAction = { ...proposal, name: 't', runId: 'r', caller, environment: 'production', at: 0 };
  const input = conditionInput(action);
  const alone = many(20);
  rows.push({ what: 'the policy alone, 20 rules', microseconds: await timed(async () => void alone.decide(input)) });
  return {
    data: { loadMs, rows },
    aims: [
      {
        what: 'ms at p50 for the gate of a read',
        measured: (rows[0]?.microseconds.p50 ?? Number.NaN) / 1000,
        is: 'at most',
        aim: 0.3,
      },
    ],
    text: table(
      `Gate (the rules took ${figure(loadMs)} ms to load)`,
      ['what', 'µs p50', 'µs p99'],
      rows.map(({ what, microseconds: { p50, p99 } }) => [what, figure(p50), figure(p99)]),
    ),
  };
}

async function timed(call: (nth: number) => Promise<void>) {
  for (let nth = 0; nth < CALLS / 10; nth++) await call(nth);
  const taken: number[] = [];
  for (let nth = 0; nth < CALLS; nth++) {
    const at = systemClock.monotonic();
    await call(nth);
    taken.push((systemClock.monotonic() - at) * 1000);
  }
  return latencySummary(taken);
}
