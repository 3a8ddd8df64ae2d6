/**
 * The desk at which agents hand work on: it judges, records, and gives the work to whoever is to do it, all in one
 * transaction. Who asks must speak for the agent that hands it on; only who speaks for the delegatee takes it.
 */
import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Engine } from '../engine/engine.ts';
import { type Caller, doneBy, isTerminal, type Run, reachOf } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Database, StoreScope } from '../store/database.ts';
import { priorityFrom } from '../tasks/priority.ts';
import { taskIdOf } from '../tasks/task.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import { TASK_CHANNEL } from '../tasks/task-store.ts';
import type { ListedAgent } from './agent-card.ts';
import type { SharedContexts } from './agent-context.ts';
import {
  type Budget,
  type Delegation,
  type DelegationFailure,
  type DelegationKind,
  type Effort,
  endSignal,
  isOpen,
} from './delegation.ts';
import type { DelegationLog, Push } from './delegation-log.ts';
import { budgetFor, chainThrough, crossTenant, leftOf, type Rejection, rejectionOf } from './delegation-rules.ts';
import {
  countOpen,
  type DelegationFilter,
  type DelegationPage,
  listDelegations,
  loadDelegation,
  lockDelegation,
  selectDelegations,
  spentBy,
  spentInRun,
} from './delegation-store.ts';
import { type AgentDirectory, isOwner } from './directory.ts';
import { byTrust, discover } from './discovery.ts';
import { inboxKey, type Letter, type Mail, type SentLetter } from './mail.ts';
import type { News } from './news.ts';
import { budgetOfRun } from './run-budget.ts';

export interface DelegationRequest {
  readonly caller: Caller;
  readonly from: string;
  /** Left out: the most trusted agent that can do it. */
  readonly to: string | undefined;
  readonly capability: string | undefined;
  readonly kind: DelegationKind;
  readonly priority: number;
  readonly input: JsonValue;
  readonly context: JsonObject;
  readonly reason: string | null;
  readonly sharedState: JsonObject;
  readonly maxSteps: number | undefined;
  readonly maxCostUsd: number | undefined;
  readonly timeoutSeconds: number;
  /** The agents that handed it on before, as far as the delegator says; what is recorded counts more. */
  readonly chain: readonly string[];
  /** The delegation this is a part of. */
  readonly parentId: string | undefined;
  /** The run that hands it on. */
  readonly runId: string | undefined;
  /** The message that asks, without what only the desk knows. */
  readonly letter: Omit<Letter, 'to' | 'delegationId' | 'taskId' | 'contextId'>;
  readonly requestHash: string;
  readonly callId: string;
  readonly traceparent: string | undefined;
}

/** A delegation that was asked for: taken down, or refused by the rules (and taken down as `rejected`). */
export interface Asked {
  readonly delegation: Delegation;
  /** The message that asked, as it was sent. */
  readonly letter: SentLetter;
}

export interface DelegationOutcome extends Effort {
  readonly result: JsonValue;
  readonly outputContext: JsonObject | null;
  /** Set: it failed. */
  readonly failure: DelegationFailure | null;
}

/** Which delegation is meant, and who says something about it on whose behalf. */
export interface DelegateeWord {
  readonly caller: Caller;
  readonly id: string;
  /** The delegatee. */
  readonly agent: string;
  /** The letter that says it, if it came as one. */
  readonly letter?: { readonly letter: Letter; readonly requestHash: string } | undefined;
}

export interface DelegationDesk {
  /**
   * @throws AosError not_found for an agent, a parent or a run that the caller has not; `CROSS_TENANT` (not_found) for a
   * delegatee that is not of the tenant; conflict (RUN_TERMINAL, DELEGATION_TERMINAL) when what hands it on has ended
   */
  delegate(request: DelegationRequest): Promise<Asked>;
  /** @throws AosError not_found; conflict (DELEGATION_TERMINAL, DELEGATION_TIMEOUT) */
  accept(word: DelegateeWord): Promise<Delegation>;
  reject(word: DelegateeWord, failure: DelegationFailure): Promise<Delegation>;
  /** The delegatee is at work. */
  begin(word: DelegateeWord): Promise<Delegation>;
  complete(word: DelegateeWord, outcome: DelegationOutcome): Promise<Delegation>;
  /**
   * Ends it and everything it was handed on to as cancelled.
   * @throws AosError not_found; conflict (DELEGATION_TERMINAL) when it has ended
   */
  cancel(caller: Caller, id: string, reason: string): Promise<Delegation>;
  /** The delegation of that id, if the caller's work, or an agent of theirs, has to do with it. */
  find(caller: Caller, id: string): Promise<Delegation | undefined>;
  list(caller: Caller, filter: DelegationFilter): Promise<DelegationPage>;
  /** Ends one, whoever asks; for the watch. @returns undefined when it has ended already */
  end(id: string, ending: Ending): Promise<Delegation | undefined>;
}

export interface Ending extends DelegationOutcome {
  readonly status: 'completed' | 'failed' | 'cancelled' | 'timeout';
  /** ISO-8601 UTC; now when left out. */
  readonly at?: string;
  /** The administrator who ends it, when it is another user's. */
  readonly by?: string | undefined;
}

export interface DelegationDeskParts {
  readonly database: Pick<Database, 'db' | 'tenant' | 'notifications'>;
  readonly directory: AgentDirectory;
  readonly contexts: SharedContexts;
  readonly mail: Mail;
  readonly news: News;
  readonly log: DelegationLog;
  readonly queue: Pick<TaskQueue, 'submit' | 'cancel'>;
  readonly runs: Pick<RunStore, 'findInTenant'>;
  readonly clock: Clock;
  readonly maxDepth: number;
  readonly push?: Push | undefined;
  /** Wakes the run that waits for what it handed on; the engine's. Nobody is woken when left out. */
  readonly signal?: Engine['signal'] | undefined;
}

/** Any constant does, as long as it stays. */
const LOCK = 4_710_025;

export function createDelegationDesk(parts: DelegationDeskParts): DelegationDesk {
  const { directory, contexts, mail, news, log, queue, runs, clock, maxDepth, push } = parts;
  const { db, tenant, notifications } = parts.database;

  /** The delegation that whoever hands on works for, if there is one. */
  async function parentOf({ caller, parentId, runId, from }: DelegationRequest): Promise<Delegation | undefined> {
    if (parentId !== undefined) {
      const parent = await loadDelegation(tenant(caller.tenantId), parentId);
      if (parent?.caller.tenantId === caller.tenantId && parent.to === from && (await concerns(parent, caller))) {
        return parent;
      }
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

  /** Who may be asked, best first. @throws AosError not_found (CROSS_TENANT) */
  async function candidatesFor(request: DelegationRequest, from: ListedAgent): Promise<readonly ListedAgent[]> {
    const { caller, to, capability = 'execute' } = request;
    if (to !== undefined) {
      const named = await directory.find(caller.tenantId, to);
      if (named !== undefined) return [named];
      const { code, message } = crossTenant(to);
      throw new AosError('not_found', message, { reason: code });
    }
    const able = discover(await directory.list(caller.tenantId), { capabilities: [capability], canAccept: true });
    const others = able.filter(({ id }) => id !== from.id);
    const isPreferred = ({ id }: ListedAgent) => (from.card.preferred.includes(id) ? 0 : 1);
    return others.toSorted(
      (one, other) => other.card.trust - one.card.trust || isPreferred(one) - isPreferred(other) || byTrust(one, other),
    );
  }

  /** The first candidate that nothing speaks against, or the first of all with what does. */
  async function choose(
    trx: StoreScope,
    request: DelegationRequest,
    from: ListedAgent,
    candidates: readonly ListedAgent[],
    chain: readonly string[],
  ): Promise<{ readonly to: ListedAgent; readonly rejection: Rejection | undefined }> {
    let first: { readonly to: ListedAgent; readonly rejection: Rejection | undefined } | undefined;
    for (const to of candidates) {
      const open = await countOpen(trx, request.caller.tenantId, to.id);
      const rejection = rejectionOf({ from, to, capability: request.capability, chain, open, maxDepth });
      if (rejection === undefined) return { to, rejection };
      first ??= { to, rejection };
    }
    if (first !== undefined) return first;
    const message = `No agent of this tenant has the capability "${request.capability ?? 'execute'}" and takes delegations`;
    throw new AosError('unprocessable', message, { reason: 'NOT_DELEGABLE' });
  }

  async function delegate(request: DelegationRequest): Promise<Asked> {
    const { caller } = request;
    const { tenantId, userId } = caller;
    const from = await directory.speaker(caller, request.from);
    const parent = await parentOf(request);
    if (parent !== undefined && !isOpen(parent.status)) throw ended(parent);
    const run = await delegatingRun(request);
    const parentRunId = run?.id ?? parent?.runId ?? undefined;
    const before = parent === undefined ? request.chain : chainThrough(parent.chain, parent.to);
    const candidates = await candidatesFor(request, from);
    const id = newUuid();
    const written = await tenant(tenantId)
      .transaction()
      .execute(async (trx) => {
        // One after the other in a tenant: capacity and budgets are counted, not guessed.
        await sql`select pg_advisory_xact_lock(${LOCK}, hashtext(${tenantId}))`.execute(trx);
        const { to, rejection: refusal } = await choose(trx, request, from, candidates, before);
        const left =
          parent !== undefined
            ? leftOf(parent.budget, await spentBy(trx, parent))
            : run && leftOf(budgetOfRun(run), await spentInRun(trx, run.id));
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
          const task = {
            task_type: 'agent_run' as const,
            agent_id: to.id,
            priority: priorityFrom(11 - request.priority) ?? ('normal' as const),
            payload: {
              input:
                typeof request.input === 'string' || isObject(request.input) ? request.input : { input: request.input },
              context: contextFor(
                request,
                from.id,
                known.map(({ context }) => context),
              ),
              max_steps: budget.steps,
              max_cost_usd: budget.costUsd,
            },
            timeout_seconds: Math.max(30, (deadline - now) / 1000),
            // What may be repeated is repeated within the attempt; another attempt would spend the budget once more.
            max_retries: 0,
            simulation: run?.simulation === true,
            metadata: { delegation_id: id, delegated_by: from.id },
          };
          await queue.submit(task, caller, {
            id: taskId,
            callId: request.callId,
            traceparent: request.traceparent,
            parentRunId: request.kind === 'async' ? undefined : parentRunId,
            within: trx,
          });
        } else if (rejection === undefined) await push?.(trx, to, letter);
        const delegation = await lockDelegation(trx, id);
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
    announce(written.delegation);
    if (written.delegation.taskId !== null) notifications.announce(TASK_CHANNEL, 'work', 'work');
    return written;
  }

  function announce({ id, caller: { tenantId }, from, to }: Delegation): void {
    for (const key of [`delegation ${id}`, inboxKey(tenantId, from), inboxKey(tenantId, to)]) news.tell(key);
  }

  /** A run that is not woken looks again by itself. */
  async function wake({ id, parentRunId, kind, status }: Delegation): Promise<void> {
    if (isOpen(status) || parentRunId === null || kind === 'async') return;
    const name = endSignal(id);
    await parts.signal?.(parentRunId, { id: name, name, payload: { status }, actor: 'system' }).catch(() => false);
  }

  /** Whether the caller's work, or an agent of theirs, has to do with it. */
  async function concerns(delegation: Delegation, caller: Caller): Promise<boolean> {
    if (delegation.caller.tenantId !== caller.tenantId) return false;
    if (reachOf(caller) === '' || delegation.caller.userId === caller.userId) return true;
    return (await isTheirs(caller, delegation.from)) || (await isTheirs(caller, delegation.to));
  }

  async function isTheirs(caller: Caller, agentId: string): Promise<boolean> {
    const agent = await directory.find(caller.tenantId, agentId);
    return agent !== undefined && !agent.isOurs && isOwner(agent, caller);
  }

  /** Locks a delegation for a word of its delegatee, and changes it; one whose time has passed is ended instead. */
  async function hear(
    word: DelegateeWord,
    change: (delegation: Delegation, trx: StoreScope) => Promise<void>,
  ): Promise<Delegation> {
    const { caller, id, agent, letter } = word;
    const isSpeaker = await isTheirs(caller, agent);
    const heard = await tenant(caller.tenantId)
      .transaction()
      .execute(async (trx) => {
        const delegation = await lockDelegation(trx, id);
        if (delegation?.caller.tenantId !== caller.tenantId || delegation.to !== agent || !isSpeaker) {
          throw unknownDelegation(id);
        }
        if (!isOpen(delegation.status)) throw ended(delegation);
        const until = delegation.status === 'pending' ? delegation.acceptBy : delegation.deadlineAt;
        if (Date.parse(until) <= clock.now()) {
          return { after: await close(trx, delegation, lateEnding(delegation)), isLate: true };
        }
        if (letter !== undefined) await mail.post(trx, letter.letter, letter.requestHash);
        await change(delegation, trx);
        return { after: (await lockDelegation(trx, id)) ?? delegation, isLate: false };
      });
    announce(heard.after);
    await wake(heard.after);
    if (!heard.isLate) return heard.after;
    throw new AosError('conflict', `The time of delegation ${id} has passed`, {
      reason: 'DELEGATION_TIMEOUT',
      facts: { status: heard.after.status },
    });
  }

  /** @param said whether whoever ended it has written to the delegator already */
  async function close(trx: StoreScope, before: Delegation, ending: Ending, said = false): Promise<Delegation> {
    const { status, result, outputContext, failure, tokens, costUsd, steps, at, by } = ending;
    await trx
      .updateTable('delegations')
      .set({
        status,
        completed_at: at === undefined ? new Date(clock.now()) : new Date(at),
        result: JSON.stringify(result),
        output_context: outputContext === null ? null : JSON.stringify(outputContext),
        error_code: failure?.code ?? null,
        // PostgreSQL keeps no U+0000 in texts, and models do say it.
        error: failure?.message.replaceAll('\0', '\uFFFD') ?? null,
        tokens_used: tokens,
        cost_usd: costUsd,
        steps_executed: steps,
      })
      .where('id', '=', before.id)
      .execute();
    const after = (await lockDelegation(trx, before.id)) ?? before;
    await log.tell(trx, {
      delegation: after,
      ...(status === 'cancelled' && { action: 'A2A_CANCEL', outcome: 'cancelled' }),
      by,
      fact: status,
    });
    if (!said) await log.answer(trx, 'ended', after);
    if (before.taskId === null && status !== 'completed' && status !== 'failed') await log.withdraw(trx, after);
    return after;
  }

  async function end(id: string, ending: Ending): Promise<Delegation | undefined> {
    const after = await db.transaction().execute(async (trx) => {
      const before = await lockDelegation(trx, id);
      return before === undefined || !isOpen(before.status) ? undefined : close(trx, before, ending);
    });
    if (after === undefined) return undefined;
    announce(after);
    await wake(after);
    if (ending.status === 'cancelled' || ending.status === 'timeout') await stopWork(after);
    return after;
  }

  /** Whoever does it stops, and so does what was handed on further. What is missed here the watch finds. */
  async function stopWork(delegation: Delegation): Promise<void> {
    const { id, taskId, caller, failure } = delegation;
    const why = failure?.message ?? 'the delegation has ended';
    if (taskId !== null) {
      await queue.cancel(taskId, why, caller).catch((thrown: unknown) => {
        if (!(thrown instanceof AosError) || thrown.reason !== 'TASK_TERMINAL') throw thrown;
      });
    }
    for (const child of await selectDelegations(db, sql`d.parent_delegation_id = ${id} and d.completed_at is null`)) {
      await end(child.id, cancelledEnding('what it is a part of has ended'));
    }
  }

  return {
    delegate,
    end,
    accept: (word) =>
      hear(word, async (delegation, trx) => {
        if (delegation.status !== 'pending') return;
        await trx
          .updateTable('delegations')
          .set({ status: 'accepted', accepted_at: new Date(clock.now()) })
          .where('id', '=', word.id)
          .execute();
        const after = { ...delegation, status: 'accepted' as const };
        await log.tell(trx, { delegation: after, action: 'A2A_DELEGATE_ACCEPT', fact: 'accepted' });
        if (word.letter === undefined) await log.answer(trx, 'accepted', after);
      }),
    reject: (word, failure) =>
      hear(word, async (delegation, trx) => {
        if (delegation.status !== 'pending') throw notNow(delegation, 'rejected');
        await trx
          .updateTable('delegations')
          .set({
            status: 'rejected',
            completed_at: new Date(clock.now()),
            error_code: failure.code,
            error: failure.message,
          })
          .where('id', '=', word.id)
          .execute();
        const after = { ...delegation, status: 'rejected' as const, failure };
        await log.tell(trx, { delegation: after, action: 'A2A_DELEGATE_REJECT', outcome: 'denied', fact: 'rejected' });
        if (word.letter === undefined) await log.answer(trx, 'rejected', after);
      }),
    begin: (word) =>
      hear(word, async (delegation, trx) => {
        if (delegation.status === 'pending') throw notNow(delegation, 'begun');
        await trx.updateTable('delegations').set({ status: 'in_progress' }).where('id', '=', word.id).execute();
        await log.tell(trx, { delegation: { ...delegation, status: 'in_progress' }, fact: 'in_progress' });
      }),
    complete: (word, outcome) =>
      hear(word, async (delegation, trx) => {
        if (delegation.status === 'pending') throw notNow(delegation, 'completed');
        const status = outcome.failure === null ? 'completed' : 'failed';
        await close(trx, delegation, { ...outcome, status }, word.letter !== undefined);
      }),
    async cancel(caller, id, reason) {
      const delegation = await loadDelegation(tenant(caller.tenantId), id);
      const mayCancel =
        delegation?.caller.tenantId === caller.tenantId &&
        (reachOf(caller) === '' ||
          delegation.caller.userId === caller.userId ||
          (await isTheirs(caller, delegation.from)));
      if (delegation === undefined || !mayCancel) throw unknownDelegation(id);
      const by = doneBy(delegation.caller, caller).changed_by;
      const after = await end(id, { ...cancelledEnding(reason), by });
      if (after !== undefined) return after;
      throw ended((await loadDelegation(tenant(caller.tenantId), id)) ?? delegation);
    },
    async find(caller, id) {
      const delegation = await loadDelegation(tenant(caller.tenantId), id);
      return delegation !== undefined && (await concerns(delegation, caller)) ? delegation : undefined;
    },
    list: (caller, filter) => listDelegations(tenant(caller.tenantId), caller, filter),
  };
}

export function cancelledEnding(reason: string): Ending {
  return { ...nothing, status: 'cancelled', failure: { code: 'CANCELLED', message: reason } };
}

/** What becomes of one whose time has passed. */
export function lateEnding({ status, acceptBy, deadlineAt }: Delegation): Ending {
  const message = status === 'pending' ? `nobody accepted it until ${acceptBy}` : `it was not done until ${deadlineAt}`;
  return { ...nothing, status: 'timeout', failure: { code: 'TIMEOUT', message } };
}

const nothing = { result: null, outputContext: null, tokens: null, costUsd: null, steps: null };

/** A simulated run reaches nobody outside. */
function outsideOf(run: Run | undefined, { id, isOurs }: ListedAgent): Rejection | undefined {
  if (run?.simulation !== true || isOurs) return undefined;
  const message = `Agent ${id} is not of this server, and a simulated run reaches nobody outside`;
  return { code: 'NOT_DELEGABLE', message };
}

/** What the delegatee is told beside its input. */
function contextFor(request: DelegationRequest, from: string, shared: readonly JsonObject[]): JsonObject {
  const { context, reason, sharedState } = request;
  const facts: JsonObject = {
    ...context,
    ...(reason !== null && { delegation_reason: reason }),
    ...(Object.keys(sharedState).length > 0 && { shared_state: sharedState }),
    ...(shared.length > 0 && { shared_contexts: [...shared] }),
  };
  return Object.keys(facts).length === 0 ? {} : { delegated_by: from, ...facts };
}

export function unknownDelegation(id: string): AosError {
  return new AosError('not_found', `Delegation ${id} not found`, { reason: 'DELEGATION_NOT_FOUND' });
}

function ended({ id, status }: Delegation): AosError {
  return new AosError('conflict', `Delegation ${id} is already ${status}`, {
    reason: 'DELEGATION_TERMINAL',
    facts: { status },
  });
}

function notNow({ id, status }: Delegation, wanted: string): AosError {
  return new AosError('conflict', `Delegation ${id} is ${status} and cannot be ${wanted} now`, {
    reason: 'DELEGATION_NOT_READY',
    facts: { status },
  });
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
