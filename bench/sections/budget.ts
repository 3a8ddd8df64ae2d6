/**
 * What a budget costs a step: runs of the engine whose steps store a result, without budgets and with one and four that
 * count each of them, in turns. Then how many reservations and settlements of one account a database does per second,
 * when everybody wants the same.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { systemClock } from '../../src/core/clock.ts';
import { newUuid } from '../../src/core/ids.ts';
import type { RunScope } from '../../src/engine/engine.ts';
import { createEngine } from '../../src/engine/run-engine.ts';
import { accountsOf, type BudgetDocument, budgetSchema } from '../../src/governance/budget/budget.ts';
import { createBudgetBook } from '../../src/governance/budget/budget-book.ts';
import { createBudgetLedger } from '../../src/governance/budget/budget-ledger.ts';
import { createBudgets } from '../../src/governance/budget/budgets.ts';
import { createEventLog } from '../../src/runs/event-log.ts';
import { createFeed } from '../../src/runs/feed.ts';
import { keyOfRun } from '../../src/runs/run.ts';
import { createRunStore } from '../../src/runs/run-store.ts';
import { openDatabase } from '../../src/store/database.ts';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';
import { pairedRatio, spread } from '../measure/statistics.ts';
import { figure, figures, table } from '../measure/table.ts';
import type { Effort, SectionResult } from '../section.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} };
const caller = { tenantId: 'bench', userId: 'ann' };
const STEPS = 20;
const AT_ONCE = [1, 8] as const;
const LIMIT = 1e11;

const ways: Readonly<Record<string, readonly Partial<BudgetDocument>[]>> = {
  'no budget': [],
  'one budget': [{}],
  'four budgets': [
    {},
    { scope: 'orchestration', window: 'run' },
    { scope: 'agent' },
    { scope: 'step', dimension: 'cost_usd' },
  ],
};

export async function benchBudget({ rounds, windowMs }: Effort): Promise<SectionResult> {
  const folder = mkdtempSync(join(tmpdir(), 'aos-bench-budget-'));
  const server = await startEmbeddedPostgres({ folder, host: process, clock: systemClock, log });
  const database = await openDatabase({ url: server.url, clock: systemClock, log });
  const feed = createFeed({ database, clock: systemClock });
  const book = createBudgetBook({ database, feed, clock: systemClock, log });
  const ledger = createBudgetLedger({ database, feed, clock: systemClock });
  const events = createEventLog({ database, clock: systemClock });
  const runs = createRunStore({ database, events, clock: systemClock });
  const desk = {
    askUnless() {
      throw new Error('there is room for everything here');
    },
  };
  const workflowOf = () => 'bench';
  const budgets = createBudgets({ book, ledger, desk, runs, workflowOf, clock: systemClock, log });
  const amounts = { tokens: 4000, cost_usd: 0.04 };

  async function program(scope: RunScope) {
    for (let nth = 0; nth < STEPS; nth++) {
      const step = `step-${nth}`;
      const isCounted = budgets.concern(scope.run, 'model', 'cfo');
      if (isCounted) await budgets.reserve(scope, { step, kind: 'model', agentId: 'cfo', what: 'It', amounts });
      const settle = { used: () => ({ tokens: 900, cost_usd: 0.009 }) };
      await scope.step(step, async () => null, isCounted ? { settle } : {});
    }
    return {};
  }
  const engine = createEngine({ database, runs, events, program, clock: systemClock, log });

  async function oneRun(): Promise<void> {
    const request = { workflow: 'collaborative', agent_ids: ['cfo'], task: {} };
    const { run } = await runs.admit({
      id: newUuid(),
      kind: 'orchestration',
      sessionId: 's',
      caller,
      request,
      simulated: true,
      callId: 'c',
    });
    await engine.begin(keyOfRun(run));
    for await (const _event of events.follow(keyOfRun(run), 0));
  }

  async function change(documents: readonly Partial<BudgetDocument>[]): Promise<void> {
    for (const { id } of book.of(caller.tenantId)) await book.remove(caller.tenantId, id, 'bench');
    for (const [nth, document] of documents.entries()) {
      const usual = { scope: 'tenant', dimension: 'tokens', window: 'day', limit: LIMIT };
      await book.set(caller.tenantId, `b${nth}`, budgetSchema.parse({ ...usual, ...document }), 'bench');
    }
  }

  /** Steps per second. */
  async function window(documents: readonly Partial<BudgetDocument>[], atOnce: number): Promise<number> {
    await change(documents);
    const begun = systemClock.monotonic();
    let steps = 0;
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (systemClock.monotonic() - begun < windowMs) {
          await oneRun();
          steps += STEPS;
        }
      }),
    );
    return (steps * 1000) / (systemClock.monotonic() - begun);
  }

  /** Reservations with their settlements per second, all of one account. */
  async function contended(): Promise<number> {
    await change([{}]);
    const request = { workflow: 'collaborative', agent_ids: ['cfo'], task: {} };
    const admission = { kind: 'orchestration', sessionId: 's', caller, request, simulated: true, callId: 'c' } as const;
    const ids = await Promise.all(
      Array.from({ length: 8 }, async () => (await runs.admit({ id: newUuid(), ...admission })).run.id),
    );
    const begun = systemClock.monotonic();
    let done = 0;
    await Promise.all(
      ids.map(async (runId) => {
        const spender = { tenantId: caller.tenantId, runId, rootId: runId, workflow: 'bench' };
        const spending = { agentId: 'cfo', kind: 'model', amounts };
        for (let nth = 0; systemClock.monotonic() - begun < windowMs; nth++) {
          const asks = accountsOf(book.of(caller.tenantId), spender, spending, systemClock.now());
          await ledger.reserve({ tenantId: caller.tenantId, runId, step: `s${nth}`, asks });
          await sql`select aos.settle_budget(${caller.tenantId}, ${runId}, ${`s${nth}`}, '{"tokens": 900}', now())`.execute(
            database.db,
          );
          done += 1;
        }
      }),
    );
    return (done * 1000) / (systemClock.monotonic() - begun);
  }

  try {
    await book.start();
    await engine.start();
    const rows = AT_ONCE.flatMap((atOnce) =>
      Object.entries(ways).map(([how, documents]) => ({ how, atOnce, documents, perSecond: [] as number[] })),
    );
    const alone: number[] = [];
    await window([], 8);
    for (let round = 0; round < rounds; round++) {
      for (const row of rows) row.perSecond.push(await window(row.documents, row.atOnce));
      alone.push(await contended());
    }
    const of = (how: string, atOnce: number) =>
      rows.find((row) => row.how === how && row.atOnce === atOnce)?.perSecond ?? [];
    const ratio = (how: string, atOnce: number) => pairedRatio(of(how, atOnce), of('no budget', atOnce)).median;
    const pairs = spread(alone);
    return {
      data: { rows: rows.map(({ how, atOnce, perSecond }) => ({ how, atOnce, perSecond })), pairs },
      aims: [
        {
          what: 'steps under one budget, of those without, one run',
          measured: ratio('one budget', 1),
          is: 'at least',
          aim: 0.5,
        },
        {
          what: 'the same under four budgets',
          measured: ratio('four budgets', 1),
          is: 'at least',
          aim: 0.4,
        },
        // Whoever settles holds the account until the disk has it: this is what an account gives at most.
        { what: 'settlements of one account per second', measured: pairs.median, is: 'at least', aim: 200 },
      ],
      text: [
        table(
          'Budgets: steps that do nothing, per second',
          ['budgets', 'runs at once', 'steps per second', 'of those without'],
          rows.map(({ how, atOnce, perSecond }) => [
            how,
            String(atOnce),
            figures(spread(perSecond)),
            figure(ratio(how, atOnce)),
          ]),
        ),
        table('Budgets: one account that 8 want', ['act', 'per second'], [['set aside and settled', figures(pairs)]]),
      ].join('\n'),
    };
  } finally {
    await engine.stop();
    book.stop();
    await database.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
