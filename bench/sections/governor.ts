/**
 * What the gate costs. A read: `governor.allow` with every check of the container, beside the same where nothing is
 * enforced and with rules of several sizes; the scope of the run is one in memory, since what only reads writes nothing
 * of its own. Work that comes in: `gate.submit` on a PostgreSQL of its own, judged and not, in turns.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCatalogue } from '../../src/agents/catalogue.ts';
import { systemClock } from '../../src/core/clock.ts';
import { newUuid } from '../../src/core/ids.ts';
import { createGate, type Gate } from '../../src/dispatch.ts';
import type { RunScope } from '../../src/engine/engine.ts';
import type { GovernedAction } from '../../src/governance/action.ts';
import { createBudgetCheck } from '../../src/governance/budget/budget-check.ts';
import type { Governor, GovernorCheck } from '../../src/governance/governor.ts';
import {
  createGovernanceContext,
  createRuleChecks,
  createUnenforcedContext,
} from '../../src/governance/governor-rules.ts';
import { createGovernor } from '../../src/governance/governor-sequence.ts';
import { loadConditions } from '../../src/governance/policy/condition.ts';
import { conditionInput, createPolicy, type Policy } from '../../src/governance/policy/policy.ts';
import type { Matrix } from '../../src/governance/raci/matrix.ts';
import { loadMatrix, loadPolicy } from '../../src/governance/rule-file.ts';
import { createDataGuard } from '../../src/governance/screening/data-guard.ts';
import { noFloor } from '../../src/governance/screening/policy.ts';
import { createScreen } from '../../src/governance/screening/screen.ts';
import { createScreeningBook } from '../../src/governance/screening/screening-book.ts';
import { createScreeningCheck } from '../../src/governance/screening/screening-check.ts';
import { createDefinitionStore } from '../../src/orchestration/definition-store.ts';
import { createEventLog } from '../../src/runs/event-log.ts';
import { createRunStore } from '../../src/runs/run-store.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';
import { silentGovernor } from '../measure/silent-governor.ts';
import { latencySummary, pairedRatio, spread } from '../measure/statistics.ts';
import { figure, table } from '../measure/table.ts';
import type { Effort, SectionResult } from '../section.ts';

const CALLS = 20_000;
const SUBMISSIONS = 300;
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

const what = { kind: 'tool', type: 'search', target: null, actionClass: null, effect: 'read' } as const;
/** Nobody's model has written these arguments. */
const plain = { what, agentId: null, args: { limit: 20, filter: { status: 'open', amount: 120.5 } } } as const;
const written = { what, agentId: 'cfo', args: { query: 'invoices of last month', ...plain.args } } as const;

interface Row {
  readonly what: string;
  readonly microseconds: { readonly p50: number; readonly p99: number };
}

export async function benchGovernor(effort: Effort): Promise<SectionResult> {
  const folder = mkdtempSync(join(tmpdir(), 'aos-bench-governor-'));
  const server = await startEmbeddedPostgres({ folder, host: process, clock: systemClock, log });
  const database = await openDatabase({ url: server.url, clock: systemClock, log });
  try {
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
    const checks = otherChecks(database);
    const whole = (policy: Policy) => enforced(matrix, policy, checks);
    const reads = (governor: Governor, proposal: typeof plain | typeof written) =>
      timed(async (nth) => void (await governor.allow(scope, { ...proposal, name: `t/${nth}` })));
    const action: GovernedAction = { ...written, name: 't', runId: 'r', caller, environment: 'production', at: 0 };
    const input = conditionInput(action);
    const twenty = many(20);
    const none = await reads(unenforced(matrix, checks), plain);
    const all = await reads(whole(shipped), plain);
    const rows: Row[] = [
      { what: 'nothing enforced', microseconds: none },
      { what: 'the whole gate, no model-made content', microseconds: all },
      { what: 'the whole gate, arguments of a model', microseconds: await reads(whole(shipped), written) },
      { what: 'the whole gate, 20 rules', microseconds: await reads(whole(twenty), plain) },
      { what: 'the whole gate, 200 rules', microseconds: await reads(whole(many(200)), plain) },
      { what: 'the policy alone, 20 rules', microseconds: await timed(async () => void twenty.decide(input)) },
    ];
    const submissions = await submitted(database, whole(shipped), effort);
    return {
      data: { loadMs, rows, submissions },
      aims: [
        { what: 'ms at p50 for the gate of a read', measured: all.p50 / 1000, is: 'at most', aim: 0.3 },
        {
          what: 'time to submit where all is judged, of that where nothing is',
          measured: submissions.ratio,
          is: 'at most',
          aim: 1.5,
        },
      ],
      text: [
        table(
          `Gate of a read (the rules took ${figure(loadMs)} ms to load)`,
          ['what', 'µs p50', 'µs p99', 'of nothing enforced'],
          rows.map(({ what: name, microseconds: { p50, p99 } }) => [
            name,
            figure(p50),
            figure(p99),
            `${figure(p50 / none.p50)} ×`,
          ]),
        ),
        table(
          'Gate of work that comes in',
          ['what', 'ms p50'],
          [
            ['nobody judges', figure(submissions.without)],
            ['all is judged, the verdict is an event of the run', figure(submissions.judged)],
            ['ratio', figure(submissions.ratio)],
          ],
        ),
      ].join('\n'),
    };
  } finally {
    await database.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The checks of the container beside RACI and policy; there are no budgets. */
function otherChecks(database: Database): readonly GovernorCheck[] {
  const book = createScreeningBook({ database, standard: noFloor, clock: systemClock, log });
  const guard = createDataGuard({ screen: createScreen({ clock: systemClock }), book, tell: async () => {} });
  const budgets = { concern: () => false } as unknown as Parameters<typeof createBudgetCheck>[0];
  return [createScreeningCheck(guard), createBudgetCheck(budgets)];
}

function enforced(matrix: Matrix, policy: Policy, checks: readonly GovernorCheck[]): Governor {
  const of = () => ({ matrix, policy });
  return createGovernor({
    environment: 'production',
    checks: [...createRuleChecks(of), ...checks],
    context: createGovernanceContext(of),
    clock: systemClock,
    log,
  });
}

function unenforced(matrix: Matrix, checks: readonly GovernorCheck[]): Governor {
  return createGovernor({
    environment: 'development',
    tellsAll: false,
    checks,
    context: createUnenforcedContext(() => matrix),
    clock: systemClock,
    log,
  });
}

/** Milliseconds at p50 to submit an orchestration, in turns judged and let through; medians over the rounds. */
async function submitted(database: Database, governor: Governor, { rounds }: Effort) {
  const gates = { without: gateOn(database, silentGovernor), judged: gateOn(database, governor) };
  const measured: Record<keyof typeof gates, number[]> = { without: [], judged: [] };
  for (const gate of Object.values(gates)) await submitMany(gate, 50);
  for (let round = 0; round < rounds; round++) {
    for (const name of ['without', 'judged'] as const) measured[name].push(await submitMany(gates[name], SUBMISSIONS));
  }
  return {
    without: spread(measured.without).median,
    judged: spread(measured.judged).median,
    ratio: pairedRatio(measured.judged, measured.without).median,
  };
}

async function submitMany(gate: Gate, count: number): Promise<number> {
  const taken: number[] = [];
  for (let nth = 0; nth < count; nth++) {
    const at = systemClock.monotonic();
    await gate.submit({
      id: newUuid(),
      kind: 'orchestration',
      sessionId: 'bench',
      caller,
      body: { agent_ids: ['ceo'], workflow: 'sequential', task: { type: 'review', data: { quarter: 'Q1' } } },
      callId: '',
    });
    taken.push(systemClock.monotonic() - at);
  }
  return latencySummary(taken).p50;
}

/** A gate whose engine executes nothing. */
function gateOn(database: Database, governor: Governor): Gate {
  const agent = { agent_id: 'ceo', agent_type: 'T', purpose: 'p', adapter_name: 'a' };
  const events = createEventLog({ database, clock: systemClock });
  return createGate({
    catalogue: parseCatalogue(JSON.stringify({ agents: [agent] }), 'bench'),
    runs: createRunStore({ database, events, clock: systemClock }),
    engine: {
      async begin() {},
      backlog: () => ({ executing: 0, queued: 0, oldestWaitMs: 0 }),
      signal: async () => true,
      cancel: async () => undefined,
    },
    governor,
    events,
    definitions: createDefinitionStore({ database, clock: systemClock }),
    clock: systemClock,
    simulated: true,
  });
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
