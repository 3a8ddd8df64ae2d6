/**
 * What is done for a caller goes through `database.tenant(…)`. Files that ask the database as the system, which sees all
 * tenants, are named here with what they do so for; a new one has to say why.
 */
import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const asTheSystem: Readonly<Record<string, string>> = {
  'src/governance/limits/socket-room.ts': 'counts of connections are this server’s own',
  'src/governance/limits/quota-ledger.ts': 'when a refusal by a quota was told, beside the buckets of rates',
  'src/governance/limits/rate-limiter.ts': 'buckets are this server’s own, and their keys name their tenants',
  'src/api/idempotency.ts': 'forgets the answers of a day ago',
  'src/container/egress.ts': 'writes down what was refused to leave',
  'src/container.ts': 'gives it what it writes with',
  'src/delegation/delegation-ending.ts': 'ends delegations of all, for the watch',
  'src/delegation/delegation-watch.ts': 'looks after the delegations of all',
  'src/delegation/directory.ts': 'knows which agents of all are to be asked how they are',
  'src/delegation/mail.ts': 'forgets old messages of all',
  'src/egress/delivery.ts': 'brings out what is due, whosever it is',
  'src/egress/outbox.ts': 'deletes what is over',
  'src/engine/run-ledger.ts': 'executes runs',
  'src/fabric/action-store.ts': 'writes down what becomes of an action while it is executed',
  'src/fabric/plane-watch.ts': 'looks at all planes, ends drills that are over',
  'src/governance/approval-change.ts': 'a run asks; time passes',
  'src/governance/approval-store.ts': 'finds what is due',
  'src/governance/audit/audit.ts': 'continues and signs the logs',
  'src/governance/budget/budget-book.ts': 'reads the budgets of all tenants',
  'src/governance/budget/budget-ledger.ts': 'sets aside for runs as they are executed, and gives back',
  'src/governance/budget/budget-watch.ts': 'wakes runs of all tenants that wait for room',
  'src/governance/document-book.ts': 'reads the documents of all tenants',
  'src/operations/callback.ts': 'finds the runs that have ended',
  'src/operations/figure.ts': 'counts for the instruments of the operator',
  'src/operations/health.ts': 'asks whether the database answers',
  'src/operations/record-store.ts': 'lists the agents of all tenants',
  'src/orchestration/definition-store.ts': 'content under its hash, which is nobody’s',
  'src/orchestration/definition-wake.ts': 'finds the runs that wait for a definition',
  'src/runs/durable-act.ts': 'acts of the engine',
  'src/runs/event-log.ts': 'the logs as the engine reads them',
  'src/runs/feed.ts': 'where the feed of everybody stands',
  'src/runs/run-store.ts': 'runs as the engine reads and moves them; deletes old ones',
  'src/scheduling/firing.ts': 'fires the jobs of all',
  'src/tasks/task-admission.ts': 'counts all that wait',
  'src/tasks/task-claims.ts': 'gives tasks to workers',
  'src/tasks/task-queue.ts': 'hears of ends, deletes old tasks, counts against limits of all',
  'src/tasks/task-settings.ts': 'the settings of queue and pool',
  'src/tasks/worker-pool.ts': 'the workers',
};

/** Whether it takes the system's scope out of the database. */
const TAKES =
  /\bdatabase\.db\b|\{[^{}=]*\bdb\b[^{}=]*\}(?:: [^=]*)? = (?:parts\.)?database\b|\{[^{}]*\bdb\b[^{}]*\}: (?:Pick<)?Database\b/;

test('only the system’s own work sees all tenants', () => {
  const takers = globSync('src/**/*.ts')
    .filter((file) => !file.startsWith('src/store/') && TAKES.test(readFileSync(file, 'utf8')))
    .toSorted();
  const unnamed = takers.filter((file) => !(file in asTheSystem));
  expect(unnamed, 'use database.tenant(tenantId), or say in this file why it must see all tenants').toEqual([]);
  const gone = Object.keys(asTheSystem).filter((file) => !takers.includes(file));
  expect(gone, 'they do not ask as the system any more: take them out').toEqual([]);
});
