/**
 * How a run asks and waits: the request is a step, each word from the desk ends a wait, the outcome is a step again.
 * What is approved is checked against what was asked, what was decided and what was told, before the run acts on it.
 */
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { RunScope, Signal } from '../engine/engine.ts';
import { actionHash } from './action-hash.ts';
import { type Approval, type ApprovalKey, isOpen } from './approval.ts';
import { type ApprovalChanges, signalName } from './approval-change.ts';
import { decide } from './approval-decision.ts';
import type { ApprovalAsk, ApprovalOutcome, Needless, StandingWait } from './approval-desk.ts';
import { asStored } from './approval-request.ts';
import type { ApprovalStore } from './approval-store.ts';

export interface ApprovalWaitParts {
  readonly approvals: ApprovalStore;
  readonly changes: ApprovalChanges;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** There is an approval whose time is over then (epoch milliseconds). */
  readonly expiresAt: (at: number) => void;
}

/** An outcome as a step stores it; `open` when there is none yet. */
type StoredOutcome =
  | { decision: 'open' }
  | { decision: 'approved'; approvalId: string; by: string[]; args: JsonObject; edited: boolean }
  | { decision: 'rejected' | 'timeout'; approvalId: string; by: string[]; reason: string };

/** See `ApprovalDesk.ask`. */
export async function waitForApproval(
  parts: ApprovalWaitParts,
  scope: RunScope,
  ask: ApprovalAsk,
): Promise<ApprovalOutcome> {
  const outcome = await wait(parts, scope, ask, undefined);
  if (outcome.decision === 'needless') throw new Error(`the approval ${outcome.approvalId} became needless by itself`);
  return outcome;
}

/** See `StandingDesk.askUnless`. */
export function waitUnless(
  parts: ApprovalWaitParts,
  scope: RunScope,
  ask: ApprovalAsk,
  standing: StandingWait,
): Promise<ApprovalOutcome | Needless> {
  return wait(parts, scope, ask, standing);
}

async function wait(
  parts: ApprovalWaitParts,
  scope: RunScope,
  given: ApprovalAsk,
  standing: StandingWait | undefined,
): Promise<ApprovalOutcome | Needless> {
  const ask = { ...given, args: asStored(given.args), name: nameIn(scope, given.name) };
  const request = await scope.step(
    requestStep(ask.name),
    async () => {
      const { id, runId, expiresAt, title } = await parts.changes.request(scope.run, ask);
      parts.expiresAt(Date.parse(expiresAt));
      await standing?.requested(signalName(id));
      return { approval_id: id, run_id: runId, title, expires_at: expiresAt };
    },
    { effect: 'write' },
  );
  const id = request.approval_id;
  const key = { tenantId: scope.run.caller.tenantId, id };
  for (let number = 1; ; number++) {
    const told = await scope.wait({
      name: waitStep(ask.name, number),
      signal: signalName(id),
      reason: standing?.reason ?? 'approval',
      ...(standing?.until != null && { until: standing.until }),
      detail: { approval_id: id, title: request.title, expires_at: request.expires_at },
    });
    if (standing !== undefined && (told === undefined || told.payload['told'] === 'needless')) {
      const withdrawn = await scope.step(
        `${ask.name}/approval/withdrawn-${number}`,
        () => parts.changes.withdraw(key, standing.needless),
        { effect: 'write' },
      );
      if (withdrawn) return { decision: 'needless', approvalId: id };
      // Somebody has decided meanwhile: the word of it is there.
      continue;
    }
    if (told === undefined) continue;
    if (told.payload['told'] === 'asked') {
      await answer(parts, scope, ask, key, told);
      continue;
    }
    const outcome = await scope.step<StoredOutcome>(outcomeStep(ask.name, number), async () =>
      outcomeOf(ask, await parts.approvals.load(key), told),
    );
    if (outcome.decision !== 'open') return outcome;
  }
}

const requestStep = (name: string) => `${name}/approval`;
const waitStep = (name: string, number: number) => `${name}/approval/wait-${number}`;
const outcomeStep = (name: string, number: number) => `${name}/approval/outcome-${number}`;

/**
 * A forked run begins with steps of another run. An approval that was decided there counts, as what it allowed is
 * among these steps; one that was still open is the other run's, so this one asks anew.
 */
function nameIn(scope: RunScope, name: string): string {
  const request = scope.recorded(requestStep(name));
  if (request === undefined || (request as { run_id?: string } | null)?.run_id === scope.run.id) return name;
  for (let number = 1; scope.recorded(waitStep(name, number)) !== undefined; number++) {
    const outcome = scope.recorded(outcomeStep(name, number));
    if (outcome !== undefined && (outcome as StoredOutcome).decision !== 'open') return name;
  }
  return `${name}@${scope.run.id}`;
}

/** Answers an approver's question, when the asking program can; else it stands until somebody else does. */
async function answer(
  { changes, now }: ApprovalWaitParts,
  scope: RunScope,
  { name, agentId, onQuestion }: ApprovalAsk,
  key: ApprovalKey,
  { payload }: Signal,
): Promise<void> {
  if (onQuestion === undefined) return;
  const number = Number(payload['number']);
  const step = `${name}/approval/answer-${number}`;
  const question = { text: String(payload['question']), askedBy: String(payload['by']), number };
  const text = scope.recorded(step) === undefined ? await onQuestion(question) : '';
  const by = agentId ?? 'system';
  await scope.step(
    step,
    async () => {
      await changes.change(key, agentId === null ? 'system' : `agent:${agentId}`, (approval) => {
        const stands = approval.exchanges.length === number && approval.exchanges.at(-1)?.answer === null;
        return isOpen(approval) && stands ? decide(approval, { type: 'answer', answer: text }, by, now()) : undefined;
      });
      return null;
    },
    { effect: 'write' },
  );
}

function outcomeOf(ask: ApprovalAsk, approval: Approval | undefined, told: Signal): StoredOutcome {
  if (approval === undefined) throw refusal(ask, 'is not there any more');
  const { id, status, actionType, args, editedArgs } = approval;
  if (isOpen(approval)) return { decision: 'open' };
  if (actionType !== ask.actionType || actionHash(actionType, args) !== actionHash(ask.actionType, ask.args)) {
    throw refusal(ask, 'is about another action than the one that is to be done');
  }
  const by = [...approval.decidedBy];
  if (status !== 'approved') {
    const reason = approval.rejectionReason ?? `it is ${status}`;
    return { decision: status === 'timeout' ? 'timeout' : 'rejected', approvalId: id, by, reason };
  }
  const approved = editedArgs ?? args;
  const hash = actionHash(actionType, approved);
  if (hash !== approval.actionHash || hash !== told.payload['action_hash']) {
    throw refusal(ask, 'is not what the approvers decided: it was changed afterwards');
  }
  return { decision: 'approved', approvalId: id, by, args: approved, edited: editedArgs !== null };
}

function refusal({ title }: ApprovalAsk, what: string): AosError {
  return new AosError('conflict', `The approval of "${title}" ${what}; nothing was done.`, {
    reason: 'APPROVAL_UNSOUND',
  });
}
