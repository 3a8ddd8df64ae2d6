/**
 * Changes of approvals, each in one transaction with the event that tells it in the log of its run and the signal that
 * wakes the run. The run's row is locked first and the approval's second, by everybody, so that nobody waits in a circle.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Engine } from '../engine/engine.ts';
import type { EventLog } from '../runs/event-log.ts';
import type { Feed } from '../runs/feed.ts';
import { globalKey, keyOfRun, partsOfKey, type Run, type RunKey, runKey } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import { type Approval, type ApprovalKey, isOpen } from './approval.ts';
import { expire } from './approval-deadline.ts';
import type { ApprovalAsk } from './approval-desk.ts';
import { type ApprovalEvent, cancel, type Moved } from './approval-outcome.ts';
import { openApproval } from './approval-request.ts';
import type { ApprovalStore } from './approval-store.ts';

export interface ApprovalChangeParts {
  readonly database: Database;
  readonly approvals: ApprovalStore;
  readonly events: Pick<EventLog, 'appendWithin' | 'announce'>;
  readonly signal: Engine['signal'];
  readonly feed: Pick<Feed, 'write'>;
  readonly clock: Clock;
}

export interface Changed {
  /** As it is then. */
  readonly approval: Approval;
  /** False when there was nothing to do, or its run has ended and it is open no more. */
  readonly moved: boolean;
}

export interface ApprovalChanges {
  /**
   * Writes the approval that the run asks for under this name, once.
   * @throws AosError invalid_request when nobody could approve it so; cancelled when the run has ended
   */
  request(run: Run, ask: ApprovalAsk): Promise<Approval>;
  /**
   * Does `move` to the approval as it is.
   * @param move undefined when there is nothing to do
   * @param actor who does it: `user:<name>`, `agent:<id>`, `system`
   * @returns undefined when there is no such approval
   * @throws AosError what `move` throws; nothing is changed then
   */
  change(
    key: ApprovalKey,
    actor: string,
    move: (approval: Approval) => Moved | undefined,
  ): Promise<Changed | undefined>;
  /** Does what time does, if its time is over. */
  expire(key: ApprovalKey): Promise<void>;
  /** Cancels it if its run has ended. */
  abandon(key: ApprovalKey): Promise<void>;
  /** Cancels it, because what was asked for is not needed any more. @returns false when it was no longer open */
  withdraw(key: ApprovalKey, why: string): Promise<boolean>;
}

/** The name of the signals about an approval. */
export function signalName(id: string): string {
  return `approval/${id}`;
}

export function createApprovalChanges(parts: ApprovalChangeParts): ApprovalChanges {
  const { approvals, events, clock } = parts;
  const { db, tenant } = parts.database;

  async function change(
    approvalKey: ApprovalKey,
    actor: string,
    move: (approval: Approval) => Moved | undefined,
  ): Promise<Changed | undefined> {
    const known = await approvals.load(approvalKey);
    if (known === undefined) return undefined;
    const { tenantId, id } = known;
    const run = runKey(tenantId, known.runId);
    const outcome = await tenant(tenantId)
      .transaction()
      .execute(async (trx) => {
        const ended = await lockRun(trx, run);
        const locked = await approvals.lock(trx, approvalKey);
        if (locked === undefined) return undefined;
        if (ended) {
          return { approval: await cancelWithin(trx, locked.approval, locked.revision), moved: false, seq: null };
        }
        const moved = move(locked.approval);
        if (moved === undefined) return { approval: locked.approval, moved: false, seq: null };
        const revision = locked.revision + 1;
        await approvals.save(trx, { approval: moved.approval, revision });
        const key = `approval/${id}:${revision}`;
        const { seq } = await events.appendWithin(trx, run, key, { ...moved.event, actor });
        const payload = toldToRun(moved.event);
        if (payload !== undefined) {
          await parts.signal(run, { id: `${id}/${revision}`, name: signalName(id), payload, actor }, trx);
        }
        return { approval: moved.approval, moved: true, seq };
      });
    if (outcome?.seq != null) events.announce(run, outcome.seq);
    return outcome;
  }

  async function cancelWithin(
    within: StoreScope,
    approval: Approval,
    revision: number,
    why?: string,
  ): Promise<Approval> {
    const cancelled = cancel(approval, clock.now(), why);
    if (cancelled === undefined) return approval;
    await approvals.save(within, { approval: cancelled, revision: revision + 1 });
    // The log of the run takes nothing after its end, so this is told to the tenant only.
    const { id, tenantId, userId, runId } = cancelled;
    const data = { approval_id: id, run_id: runId, status: cancelled.status };
    await parts.feed.write(within, { tenantId, userId, type: 'approval.cancelled', subject: id, data });
    return cancelled;
  }

  return {
    change,
    async expire(key) {
      await change(key, 'system', (approval) => expire(approval, clock.now()));
    },
    async abandon(key) {
      await change(key, 'system', () => undefined);
    },
    async withdraw(key, why) {
      const known = await approvals.load(key);
      if (known === undefined) return false;
      return db.transaction().execute(async (trx) => {
        await lockRun(trx, runKey(known.tenantId, known.runId));
        const locked = await approvals.lock(trx, key);
        if (locked === undefined || !isOpen(locked.approval)) return false;
        await cancelWithin(trx, locked.approval, locked.revision, why);
        return true;
      });
    },
    async request(run, ask) {
      const key = keyOfRun(run);
      const id = approvalId(run, ask.name);
      const { approval, seq } = await db.transaction().execute(async (trx) => {
        const ended = await lockRun(trx, key);
        const known = await approvals.load({ tenantId: run.caller.tenantId, id }, trx);
        if (known !== undefined) return { approval: known, seq: null };
        if (ended) throw new AosError('cancelled', `Run ${run.id} has ended and cannot ask for approval any more.`);
        const { tenantId, userId } = run.caller;
        const asker = { runId: run.id, tenantId, userId, taskId: await taskOf(trx, run) };
        const opened = openApproval(id, ask, asker, clock.now());
        await approvals.insert(trx, opened);
        const event = { ...requested(opened), actor: ask.agentId === null ? 'system' : `agent:${ask.agentId}` };
        const written = await events.appendWithin(trx, key, `approval/${id}:1`, event);
        return { approval: opened, seq: written.seq };
      });
      if (seq !== null) events.announce(key, seq);
      return approval;
    },
  };
}

/** @returns whether the run has ended; also true when there is none any more */
async function lockRun(trx: StoreScope, run: RunKey): Promise<boolean> {
  const { tenantId, runId } = partsOfKey(run);
  const row = await trx
    .selectFrom('runs')
    .select('completed_at')
    .where('tenant_id', '=', tenantId)
    .where('id', '=', runId)
    .forNoKeyUpdate()
    .executeTakeFirst();
  return row?.completed_at !== null;
}

/** The task that the run works for: the family's first run is then an attempt at it, `<task>.<attempt>`. */
async function taskOf(trx: StoreScope, { rootId, caller }: Run): Promise<string | null> {
  const root = await trx
    .selectFrom('runs')
    .select('kind')
    .where('tenant_id', '=', caller.tenantId)
    .where('id', '=', rootId)
    .executeTakeFirst();
  return root?.kind === 'task' ? rootId.slice(0, rootId.lastIndexOf('.')) : null;
}

/** The same for the same run and name, so that asking twice is asking once. In the form of a UUID (version 8). */
function approvalId({ id, caller }: Run, name: string): string {
  const hex = createHash('sha256')
    .update(`${globalKey(caller.tenantId, id)}\n${name}`)
    .digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function requested(approval: Approval): ApprovalEvent {
  return {
    type: 'approval.requested',
    data: {
      approval_id: approval.id,
      step: approval.stepName,
      title: approval.title,
      request_type: approval.requestType,
      action_type: approval.actionType,
      action_hash: approval.actionHash,
      args: approval.args,
      agent_id: approval.agentId,
      priority: approval.priority,
      quorum: approval.quorum,
      assignees: [...approval.assignees],
      expires_at: approval.expiresAt,
    },
  };
}

/** What the run must know of at once; undefined for what it need not be woken for. */
function toldToRun(event: ApprovalEvent): JsonObject | undefined {
  if (event.type === 'approval.decided') return { told: 'decided', action_hash: event.data.action_hash ?? null };
  if (event.type === 'approval.asked') {
    const { number, question, by } = event.data;
    return { told: 'asked', number, question, by };
  }
  return undefined;
}
