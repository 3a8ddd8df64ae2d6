/** Agents among themselves on a database, with a clock of the test's own; tasks are done as the test says. */
import type { Agent } from '../../src/agents/agent.ts';
import { systemClock } from '../../src/core/clock.ts';
import { newUuid } from '../../src/core/ids.ts';
import { createSharedContexts } from '../../src/delegation/agent-context.ts';
import { createDelegationDesk } from '../../src/delegation/delegation-desk.ts';
import { createDelegationLog } from '../../src/delegation/delegation-log.ts';
import type { DelegationRequest } from '../../src/delegation/delegation-request.ts';
import { createDelegationWatch } from '../../src/delegation/delegation-watch.ts';
import { createAgentDirectory } from '../../src/delegation/directory.ts';
import { createMail, type Letter } from '../../src/delegation/mail.ts';
import { createNews } from '../../src/delegation/news.ts';
import type { NewAuditEntry } from '../../src/governance/audit/audit.ts';
import { createCompose } from '../../src/operations/a2a-letter.ts';
import type { NewFeedItem } from '../../src/runs/feed.ts';
import type { Caller, Run } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { silentLog } from './log.ts';
import { ManualClock } from './manual-clock.ts';
import { type Attempt, createTestTasks } from './tasks.ts';

export const ann: Caller = { tenantId: 'acme', userId: 'ann' };
export const eve: Caller = { tenantId: 'acme', userId: 'eve' };
export const other: Caller = { tenantId: 'other', userId: 'ann' };

export interface TestDelegationOptions {
  readonly attempt?: Attempt;
  /** Ids of the agents of this server. */
  readonly ours?: readonly string[];
  readonly maxDepth?: number;
  /** Runs that the caller has. */
  readonly runs?: readonly Run[];
}

export function createTestDelegation(database: Database, options: TestDelegationOptions = {}) {
  const { ours = ['clerk'], maxDepth = 5, attempt, runs = [] } = options;
  const clock = new ManualClock(systemClock.now());
  const tasks = createTestTasks(database, attempt === undefined ? {} : { attempt });
  const entries: NewAuditEntry[] = [];
  const facts: NewFeedItem[] = [];
  const audit = { write: async (_within: unknown, entry: NewAuditEntry) => void entries.push(entry) };
  const feed = { write: async (_within: unknown, item: NewFeedItem) => void facts.push(item) };
  const agents = ours.map(
    (id): Agent => ({
      agent_id: id,
      agent_type: 'ClerkAgent',
      purpose: 'Do what is asked',
      adapter_name: 'clerk',
      capabilities: [],
      config: {},
      enabled: true,
    }),
  );
  const news = createNews({ notifications: database.notifications, clock });
  const directory = createAgentDirectory({ database, ours: () => agents, audit, feed, clock });
  const mail = createMail({ database, news, clock });
  const contexts = createSharedContexts({ database, clock });
  const compose = createCompose({ actions: { load: async () => undefined } });
  const desk = createDelegationDesk({
    database,
    directory,
    contexts,
    mail,
    news,
    log: createDelegationLog({ mail, audit, feed, compose }),
    queue: tasks.queue,
    runs: {
      findInTenant: async (id, { tenantId, userId }) =>
        runs.find(({ id: known, caller }) => known === id && caller.tenantId === tenantId && caller.userId === userId),
    },
    clock,
    maxDepth,
  });
  const watch = createDelegationWatch({ database, desk, mail, compose, queue: tasks.queue, clock, log: silentLog });
  return { clock, tasks, entries, facts, directory, mail, contexts, desk, watch, news };
}

export type TestDelegation = ReturnType<typeof createTestDelegation>;

export function letterFrom(from: string, change: Partial<Letter> = {}): Letter {
  return {
    id: newUuid(),
    caller: ann,
    type: 'ping',
    from,
    to: 'porter',
    correlationId: 'matter',
    inReplyTo: null,
    payload: {},
    metadata: {},
    fabric: { primary_plane_id: 'ipaas_acme', fabric_preset: 'preset_2_ipaas_first', auto_enriched: true },
    scan: null,
    expiresAt: null,
    delegationId: null,
    contextId: null,
    taskId: null,
    ...change,
  };
}

export function requestFrom(
  from: string,
  to: string | undefined,
  change: Partial<DelegationRequest> = {},
): DelegationRequest {
  const caller = change.caller ?? ann;
  return {
    caller,
    from,
    to,
    capability: undefined,
    kind: 'full',
    priority: 5,
    input: 'Do it.',
    context: {},
    reason: null,
    sharedState: {},
    maxSteps: undefined,
    maxCostUsd: undefined,
    timeoutSeconds: 300,
    chain: [],
    parentId: undefined,
    runId: undefined,
    letter: letterFrom(from, { type: 'delegate', caller }),
    requestHash: 'hash',
    callId: '',
    traceparent: undefined,
    ...change,
  };
}
