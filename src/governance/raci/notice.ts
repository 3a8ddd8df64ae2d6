/**
 * Telling the informed: a CloudEvents 1.0 envelope for each party that has a webhook, put into the outbox, which signs
 * and delivers it. The same decision is told once, however often its run is executed. Arguments are never in it.
 */
import { createHash } from 'node:crypto';
import { type Clock, isoTime } from '../../core/clock.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Outbox } from '../../egress/outbox.ts';
import type { GovernanceDecision } from '../../runs/event.ts';
import type { Database } from '../../store/database.ts';
import type { GovernedAction } from '../action.ts';
import type { Activity, MatrixDocument } from './matrix.ts';
import { informedOf } from './raci-check.ts';

export const DECISION_NOTICE = 'aos.governance.decided.v1';

export interface Notice {
  readonly party: string;
  readonly url: string;
  /** A CloudEvents 1.0 envelope in its JSON format. */
  readonly envelope: JsonObject;
  readonly dedupeKey: string;
}

/** Who is told of a decision, and what; a pure function. @param at ISO-8601 UTC */
export function noticesOf(
  { parties }: MatrixDocument,
  activity: Activity,
  action: GovernedAction,
  decision: GovernanceDecision,
  at: string,
): readonly Notice[] {
  const event = decision.verdict === 'deny' ? 'denied' : action.what.effect;
  const { runId, caller, name } = action;
  const { facts: _, ...told } = decision;
  return informedOf(activity, event).flatMap((party): Notice[] => {
    const url = parties[party]?.webhook;
    if (url === undefined) return [];
    const source = runId === null ? '/governance' : `/runs/${runId}`;
    const dedupeKey = `inform ${caller.tenantId} ${runId ?? at} ${name} ${decision.verdict} ${party}`;
    return [
      {
        party,
        url,
        dedupeKey,
        envelope: {
          specversion: '1.0',
          id: createHash('sha256').update(dedupeKey).digest('hex').slice(0, 32),
          source,
          type: DECISION_NOTICE,
          subject: decision.action,
          time: at,
          datacontenttype: 'application/json',
          tenant: caller.tenantId,
          data: { ...told, run_id: runId, activity: activity.name, informed: party } as JsonObject,
        },
      },
    ];
  });
}

export interface NoticeParts {
  readonly database: Database;
  readonly outbox: Pick<Outbox, 'enqueue'>;
  readonly matrixOf: (tenantId: string) => {
    readonly document: MatrixDocument;
    activityOf(action: string): Activity | undefined;
  };
  readonly clock: Clock;
}

/** What the governor calls with every decision that somebody may have to be told of. */
export function createNotices({ database, outbox, matrixOf, clock }: NoticeParts) {
  return async (action: GovernedAction, decision: GovernanceDecision): Promise<void> => {
    const { caller, runId } = action;
    const matrix = matrixOf(caller.tenantId);
    const activity = matrix.activityOf(decision.action);
    if (activity === undefined) return;
    const notices = noticesOf(matrix.document, activity, action, decision, isoTime(clock.now()));
    if (notices.length === 0) return;
    await database
      .tenant(caller.tenantId)
      .transaction()
      .execute(async (trx) => {
        for (const { url, envelope, dedupeKey } of notices) {
          await outbox.enqueue(trx, {
            ...caller,
            kind: 'notice',
            subject: runId ?? decision.action,
            url,
            headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' },
            body: JSON.stringify(envelope),
            dedupeKey,
          });
        }
      });
  };
}
