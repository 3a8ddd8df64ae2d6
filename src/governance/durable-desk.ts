/** The desk for approvals on the database: runs ask, people decide, time decides where people do not. */
import { AosError, asError } from '../core/errors.ts';
import { createRounds } from '../core/rounds.ts';
import type { Caller } from '../runs/run.ts';
import type { Log } from '../telemetry/log.ts';
import type { ApprovalKey } from './approval.ts';
import { type ApprovalChangeParts, createApprovalChanges } from './approval-change.ts';
import { decide } from './approval-decision.ts';
import type { ApprovalDecision, ApprovalDesk, StandingDesk } from './approval-desk.ts';
import { decided } from './approval-outcome.ts';
import { waitForApproval, waitUnless } from './approval-wait.ts';

/** How late time decides at the latest, when the process that wrote the deadline is gone. */
const LOOK_MS = 10_000;
const ROUND_SIZE = 100;
/** Here the database tells of runs that ended with approvals still open. */
const CHANNEL = 'aos_approvals';

export interface DurableDesk extends ApprovalDesk, StandingDesk {
  /** Begins to watch deadlines and ends of runs; several processes may, each is applied once. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createApprovalDesk(parts: ApprovalChangeParts & { readonly log: Log }): DurableDesk {
  const { approvals, clock, log } = parts;
  const changes = createApprovalChanges(parts);
  let stopListening: (() => void) | undefined;
  const rounds = createRounds({
    clock,
    work: sweep,
    longestMs: LOOK_MS,
    failed: (thrown) => log.warn('deadlines of approvals could not be looked at', { reason: asError(thrown).message }),
  });

  /** @returns when the next deadline is; undefined also when one could not be applied, so that it is not tried at once */
  async function sweep(): Promise<number | undefined> {
    const due = await approvals.due(clock.now(), ROUND_SIZE);
    const orphans = await approvals.orphans(ROUND_SIZE);
    let sound = true;
    const attempt = async (key: ApprovalKey, apply: (key: ApprovalKey) => Promise<void>) => {
      try {
        await apply(key);
      } catch (thrown) {
        sound = false;
        const { tenantId, id } = key;
        const error = asError(thrown);
        log.error('a deadline of an approval could not be applied', { tenant_id: tenantId, approval_id: id, error });
      }
    };
    for (const key of due) await attempt(key, changes.expire);
    for (const key of orphans) await attempt(key, changes.abandon);
    return sound ? approvals.nextExpiry() : undefined;
  }

  const waiting = { approvals, changes, now: clock.now, expiresAt: rounds.due };
  return {
    async start() {
      const look = () => rounds.due();
      stopListening = await parts.database.notifications.listen(CHANNEL, { heard: look, missed: look });
      rounds.start();
    },
    async stop() {
      stopListening?.();
      await rounds.stop();
    },
    ask: (scope, ask) => waitForApproval(waiting, scope, ask),
    askUnless: (scope, ask, standing) => waitUnless(waiting, scope, ask, standing),
    async decide(id, decision, caller) {
      const known = await approvals.find(id, caller);
      if (known === undefined) throw unknown(id);
      const by = deciderOf(decision, caller);
      // Whoever comes after the deadline comes after what time decided, whether or not that has been noted yet.
      if (clock.now() >= Date.parse(known.expiresAt)) await changes.expire(known);
      const changed = await changes.change(known, `user:${by}`, (approval) =>
        decide(approval, decision, by, clock.now()),
      );
      if (changed === undefined) throw unknown(id);
      if (!changed.moved) throw decided(changed.approval);
      rounds.due(Date.parse(changed.approval.expiresAt));
      return changed.approval;
    },
  };
}

/** The call's own user before the name that its body gives. */
function deciderOf(decision: ApprovalDecision, { userId }: Caller): string {
  const by = userId === '' ? (decision.by ?? '').trim() : userId;
  if (by !== '') return by;
  throw new AosError(
    'invalid_request',
    'Nobody is named who decides: the call comes without a user, so "by" must name one, e.g. {"by": "dana"}.',
    { reason: 'DECIDER_MISSING' },
  );
}

function unknown(id: string): AosError {
  return new AosError('not_found', `Approval ${id} not found`, { reason: 'APPROVAL_NOT_FOUND' });
}
