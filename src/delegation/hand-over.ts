/** Work handed on: judged, written down, and given to whoever is to do it, all in one transaction. */
import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import { isTerminal, keyOfRun, type Run } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Database } from '../store/database.ts';
import { taskIdOf } from '../tasks/task.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import { TASK_CHANNEL } from '../tasks/task-store.ts';
import type { SharedContexts } from './agent-context.ts';
import { taskFor } from './delegated-task.ts';
import { candidatesFor, choose, outsideOf } from './delegatee-choice.ts';
import { type Budget, type Delegation, isOpen } from './delegation.ts';
import { endedDelegation, unknownDelegation } from './delegation-fault.ts';
import type { DelegationLog, Push } from './delegation-log.ts';
import type { DelegationNews } from './delegation-news.ts';
import type { DelegationParties } from './delegation-party.ts';
import type { DelegationRequest } from './delegation-request.ts';
import { budgetFor, chainThrough, leftOf } from './delegation-rules.ts';
import { loadDelegation, lockDelegation, selectDelegations, spentBy, spentInRun } from './delegation-store.ts';
import type { AgentDirectory } from './directory.ts';
import type { Mail, SentLetter } from './mail.ts';
import { budgetOfRun } from './run-budget.ts';

/** A delegation that was asked for: taken down, or refused by the rules (and taken down as `rejected`). */
export interface Asked {
  readonly delegation: Delegation;
  /** The message that asked, as it was sent. */
  readonly letter: SentLetter;
}

/**
 * Hands work on.
 * @throws AosError not_found for an agent, a parent or a run that the caller has not; `CROSS_TENANT` (not_found) for a
 * delegatee that is not of the tenant; conflict (RUN_TERMINAL, DELEGATION_TERMINAL) when what hands it on has ended
 */
export type Delegate = (request: DelegationRequest) => Promise<Asked>;

export interface HandOverParts {
  readonly database: Pick<Database, 'tenant' | 'notifications'>;
  readonly parties: DelegationParties;
  readonly directory: AgentDirectory;
  readonly contexts: SharedContexts;
  readonly mail: Mail;
  readonly news: DelegationNews;
  readonly log: DelegationLog;
  readonly queue: Pick<TaskQueue, 'submit'>;
  readonly runs: Pick<RunStore, 'findInTenant'>;
  readonly clock: Clock;
  readonly maxDepth: number;
  readonly push?: Push | undefined;
}

/** Any constant does, as long as it stays. */
const LOCK = 4_710_025;

export function createHandOver(parts: HandOverParts): Delegate {
  const { parties, directory, contexts, mail, news, log, queue, runs, clock, maxDepth, push } = parts;
  const { tenant, notifications } = parts.database;

  /** The delegation that whoever hands on works for, if there is one. */
  async function parentOf({ caller, parentId, runId, from }: DelegationRequest): Promise<Delegation | undefined> {
    if (parentId !== undefined) {
      const parent = await loadDelegation(tenant(caller.tenantId), { caller, id: parentId });
      if (parent?.to === from && (await parties.concerns(parent, caller))) return parent;
      throw unknownDelegation(parentId);
    }
    if (runId === undefined) return undefined;
    const [parent] = await selectDelegations(
      tenant(caller.tenantId),
      sql`d.tenant_id = ${caller.tenantId} and d.task_id = ${taskIdOf(runId)}`,
    );
    return parent;
  }

  async function delegatingRun({ caller, runId, kind }: DelegationRequest): Promise<Run | undefined> {
    if (runId === undefined) return undefined;
    const run = await runs.findInTenant(runId, caller);
    if (run === undefined) throw new AosError('not_found', `Run ${runId} not found`, { reason: 'RUN_NOT_FOUND' });
    if (isTerminal(run.status) && kind !== 'async') {
      throw new AosError('conflict', `Run ${runId} is already ${run.status}, and hands on nothing any more`, {
        reason: 'RUN_TERMINAL',
        facts: { status: run.status },
      });
    }
    return run;
  }

  return async (request) => {
    const { caller } = request;
    const { tenantId, userId } = caller;
    const from = await directory.speaker(caller, request.from);
    const parent = await parentOf(request);
    if (parent !== undefined && !isOpen(parent.status)) throw endedDelegation(parent);
    const run = await delegatingRun(request);
    const parentRunId = run?.id ?? parent?.runId ?? undefined;
    const before = parent === undefined ? request.chain : chainThrough(parent.chain, parent.to);
    const candidates = await candidatesFor(directory, request, from);
    const id = newUuid();
    const written = await tenant(tenantId)
      .transaction()
      .execute(async (trx) => {
        // One after the other in a tenant: capacity and budgets are counted, not guessed.
        await sql`select pg_advisory_xact_lock(${LOCK}, hashtext(${tenantId}))`.execute(trx);
        const { to, rejection: refusal } = await choose(trx, request, from, candidates, before, maxDepth);
        const left =
          parent !== undefined
            ? leftOf(parent.budget, await spentBy(trx, parent))
            : run && leftOf(budgetOfRun(run), await spentInRun(trx, keyOfRun(run)));
        const asked = { steps: request.maxSteps, costUsd: request.maxCostUsd };
        const granted = budgetFor(asked, left);
        const rejection = refusal ?? outsideOf(run, to) ?? ('code' in granted ? granted : undefined);
        const budget: Budget = 'code' in granted ? { steps: asked.steps ?? 0, costUsd: asked.costUsd ?? 0 } : granted;
        const taken = rejection === undefined && to.isOurs;
        const now = clock.now();
        const deadline = Math.min(
          now + request.timeoutSeconds * 1000,
          parent === undefined ? Number.POSITIVE_INFINITY : Date.parse(parent.deadlineAt),
        );
        const acceptBy = Math.min(
          deadline,
          request.letter.expiresAt === null ? deadline : Date.parse(request.letter.expiresAt),
        );
        const taskId = taken ? newUuid() : null;
        const known = taken ? await contexts.known(trx, caller, to.id, request.letter.correlationId) : [];
        await trx
          .insertInto('delegations')
          .values({
            id,
            tenant_id: tenantId,
            user_id: userId,
            from_agent: from.id,
            to_agent: to.id,
            capability: request.capability ?? 'execute',
            kind: request.kind,
            priority: request.priority,
            status: rejection !== undefined ? 'rejected' : taken ? 'accepted' : 'pending',
            input: JSON.stringify(request.input),
            context: JSON.stringify(request.context),
            reason: request.reason,
            shared_state: JSON.stringify(request.sharedState),
            chain: [...chainThrough(before, from.id)],
            max_steps: budget.steps,
            max_cost_usd: budget.costUsd,
            timeout_seconds: request.timeoutSeconds,
            correlation_id: request.letter.correlationId,
            message_id: request.letter.id,
            parent_delegation_id: parent?.id ?? null,
            parent_run_id: parentRunId ?? null,
            task_id: taskId,
            fabric: JSON.stringify(request.letter.fabric),
            scan: request.letter.scan === null ? null : JSON.stringify(request.letter.scan),
            created_at: new Date(now),
            accept_by: new Date(acceptBy),
            deadline_at: new Date(deadline),
            accepted_at: taken ? new Date(now) : null,
            completed_at: rejection === undefined ? null : new Date(now),
            error_code: rejection?.code ?? null,
            error: rejection?.message ?? null,
          })
          .execute();
        const letter = await mail.post(
          trx,
          { ...request.letter, to: to.id, delegationId: id, contextId: null, taskId: null },
          request.requestHash,
        );
        if (taskId !== null) {
          const shared = known.map(({ context }) => context);
          const task = taskFor(request, {
            id,
            from: from.id,
            to: to.id,
            budget,
            shared,
            now,
            deadline,
            simulation: run?.simulation === true,
          });
          await queue.submit(task, caller, {
            id: taskId,
            callId: request.callId,
            traceparent: request.traceparent,
            parentRunId: request.kind === 'async' ? undefined : parentRunId,
            within: trx,
          });
        } else if (rejection === undefined) await push?.(trx, to, letter);
        const delegation = await lockDelegation(trx, { caller, id });
        if (delegation === undefined) throw new Error(`the delegation ${id} was not written`);
        await log.tell(trx, {
          delegation,
          action: 'A2A_DELEGATE',
          outcome: rejection === undefined ? (taken ? 'success' : 'pending') : 'denied',
          fact: 'requested',
        });
        if (rejection !== undefined) {
          await log.tell(trx, { delegation, action: 'A2A_DELEGATE_REJECT', outcome: 'denied', fact: 'rejected' });
          await log.answer(trx, 'rejected', delegation);
        } else if (taken) {
          await log.tell(trx, { delegation, action: 'A2A_DELEGATE_ACCEPT', fact: 'accepted' });
          await log.answer(trx, 'accepted', delegation);
        }
        return { delegation, letter };
      });
    news.announce(written.delegation);
    if (written.delegation.taskId !== null) notifications.announce(TASK_CHANNEL, 'work', 'work');
    return written;
  };
}
