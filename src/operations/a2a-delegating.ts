/** How agents hand work on, whatever route an order comes by: judged, screened, written down as a letter, and waited for. */
import type { Clock } from '../core/clock.ts';
import { isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import { type JsonObject, type JsonValue, jsonOf } from '../core/json.ts';
import type { HandOver } from '../delegation/delegate-tool.ts';
import {
  type Delegation,
  delegationName,
  delegationTimeout,
  isOpen,
  MAX_INPUT_CHARACTERS,
} from '../delegation/delegation.ts';
import type { DelegationDesk } from '../delegation/delegation-desk.ts';
import type { AgentDirectory } from '../delegation/directory.ts';
import type { Asked } from '../delegation/hand-over.ts';
import { hashLetter, letterExists, type Mail } from '../delegation/mail.ts';
import type { News } from '../delegation/news.ts';
import type { ScreeningAction } from '../governance/screening/policy.ts';
import type { Caller } from '../runs/run.ts';
import { currentTraceparent } from '../telemetry/tracing.ts';
import { type AskedDelegation, askedDelegation } from './a2a-field.ts';
import type { Ingress } from './a2a-ingress.ts';

/** A delegation as a message or the REST route asks for it. */
export interface DelegationOrder {
  readonly caller: Caller;
  readonly id: string;
  readonly from: string;
  readonly to: string | undefined;
  readonly asked: AskedDelegation;
  readonly correlationId: string | undefined;
  readonly fabric: JsonObject;
  readonly metadata: JsonObject;
  /** Epoch milliseconds. */
  readonly expiresAt: number | undefined;
  readonly policy: ScreeningAction | undefined;
  readonly region: string | undefined;
  readonly callId: string;
}

/** Members that a message and the REST route share. */
export interface AskedTerms {
  readonly correlation_id?: string | null | undefined;
  readonly fabric_context?: Readonly<Record<string, unknown>> | null | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | null | undefined;
  readonly expires_at?: number | null | undefined;
  readonly pii_policy?: ScreeningAction | null | undefined;
  readonly region?: string | null | undefined;
}

/** How agents hand work on, whatever route it comes by. */
export interface Delegating {
  /** Does it, or gives what the same order made before. @throws what the desk and the ingress do */
  order(order: DelegationOrder): Promise<Asked>;
  /** The same for an agent in the course of its run. */
  handOver(work: HandOver): Promise<Delegation>;
  /** The delegation when it has ended, or as it is after `ms`. */
  awaitEnd(delegation: Delegation, ms: number, signal: AbortSignal): Promise<Delegation>;
}

export interface DelegatingParts {
  readonly desk: DelegationDesk;
  readonly mail: Pick<Mail, 'find'>;
  readonly news: News;
  readonly ingress: Ingress;
  readonly directory: Pick<AgentDirectory, 'speaker'>;
  readonly clock: Clock;
}

export function createDelegating({ desk, mail, news, ingress, directory, clock }: DelegatingParts): Delegating {
  const delegating: Delegating = {
    async handOver({ caller, id, from, to, correlationId, ...work }) {
      const asked = askedDelegation.parse({
        input: work.input,
        capability_id: work.capability,
        delegation_reason: work.reason,
        max_steps: work.maxSteps,
        max_cost_usd: work.maxCostUsd,
        timeout_seconds: work.timeoutSeconds,
        run_id: work.runId,
      });
      const open = { fabric: {}, metadata: {}, expiresAt: undefined, policy: undefined, region: undefined, callId: '' };
      return (await delegating.order({ caller, id, from, to, asked, correlationId, ...open })).delegation;
    },
    async order(order) {
      const { caller, id, from, asked } = order;
      const requestHash = hashLetter(sameOrder(order));
      const sent = await mail.find(caller.tenantId, id);
      if (sent !== undefined) {
        const isSame = sent.requestHash === requestHash && sent.caller.userId === caller.userId;
        const delegation = sent.delegationId === null ? undefined : await desk.find(caller, sent.delegationId);
        if (isSame && delegation !== undefined) return { delegation, letter: sent };
        throw letterExists(id);
      }
      await directory.speaker(caller, from);
      if (JSON.stringify(asked.input).length > MAX_INPUT_CHARACTERS) {
        throw new AosError('payload_too_large', `"input" may have ${MAX_INPUT_CHARACTERS} characters at most`);
      }
      const { context, ...facts } = factsOf(asked);
      const payload: JsonObject = {
        input: asked.input as JsonValue,
        context,
        ...(facts.reason !== null && { delegation_reason: facts.reason }),
        shared_state: facts.sharedState,
      };
      const admitted = await ingress.admit({
        caller,
        id,
        type: 'delegate',
        from,
        payload,
        fabric: order.fabric,
        metadata: order.metadata,
        expiresAt: order.expiresAt,
        policy: order.policy,
        region: order.region,
      });
      const told = admitted.payload;
      const { maxSteps, maxCostUsd, timeoutSeconds, chain, parentId, runId, capability } = facts;
      return desk.delegate({
        caller,
        from,
        to: order.to,
        capability,
        kind: asked.delegation_type,
        priority: asked.priority,
        input: told['input'] ?? null,
        context: jsonOf(told['context']),
        reason: typeof told['delegation_reason'] === 'string' ? told['delegation_reason'] : null,
        sharedState: jsonOf(told['shared_state']),
        maxSteps,
        maxCostUsd,
        timeoutSeconds,
        chain,
        parentId,
        runId,
        letter: {
          id,
          caller,
          type: 'delegate',
          from,
          correlationId: order.correlationId ?? newUuid(),
          inReplyTo: null,
          payload: {
            ...told,
            capability_id: capability ?? 'execute',
            delegation_type: asked.delegation_type,
            priority: asked.priority,
          },
          metadata: admitted.metadata,
          fabric: admitted.fabric,
          scan: admitted.scan,
          expiresAt: order.expiresAt === undefined ? null : isoTime(order.expiresAt),
        },
        requestHash,
        callId: order.callId,
        traceparent: currentTraceparent(),
      });
    },
    async awaitEnd(delegation, ms, signal) {
      if (ms === 0 || !isOpen(delegation.status)) return delegation;
      const ear = await news.listen(delegationName(delegation));
      const until = clock.monotonic() + ms;
      try {
        for (;;) {
          const now = (await desk.find(delegation.caller, delegation.id)) ?? delegation;
          const left = until - clock.monotonic();
          if (!isOpen(now.status) || left <= 0 || signal.aborted) return now;
          await ear.next(Math.min(left, 1_000), signal);
        }
      } finally {
        ear.close();
      }
    },
  };
  return delegating;
}

/** What goes with an order, as a message and the REST route name it alike. */
export function termsOf(asked: AskedTerms) {
  return {
    correlationId: asked.correlation_id ?? undefined,
    fabric: jsonOf(asked.fabric_context),
    metadata: jsonOf(asked.metadata),
    expiresAt: asked.expires_at ?? undefined,
    policy: asked.pii_policy ?? undefined,
    region: asked.region ?? undefined,
  };
}

/** What makes an order the same as another. */
function sameOrder({
  from,
  to,
  asked,
  correlationId,
  fabric,
  metadata,
  expiresAt,
  policy,
}: DelegationOrder): JsonObject {
  const given = { type: 'delegate', from, to, asked, correlationId, fabric, metadata, expiresAt, policy };
  return JSON.parse(JSON.stringify(given)) as JsonObject;
}

/** The facts of a delegation: beside its context, or within. */
function factsOf(asked: AskedDelegation) {
  const {
    max_steps: steps,
    max_cost_usd: cost,
    timeout_seconds: timeout,
    delegation_reason: reason,
    delegation_chain: chain,
    shared_state: shared,
    parent_delegation_id: parent,
    run_id: run,
    original_context: original,
    delegated_capability: delegated,
    ...told
  } = asked.context ?? {};
  return {
    context: jsonOf({ ...original, ...told }),
    reason: asked.delegation_reason ?? reason ?? null,
    sharedState: jsonOf(asked.shared_state ?? shared),
    maxSteps: asked.max_steps ?? steps ?? undefined,
    maxCostUsd: asked.max_cost_usd ?? cost ?? undefined,
    timeoutSeconds: asked.timeout_seconds ?? timeout ?? delegationTimeout.default,
    chain: asked.delegation_chain ?? chain ?? [],
    parentId: asked.parent_delegation_id ?? parent ?? undefined,
    runId: asked.run_id ?? run ?? undefined,
    capability: asked.capability_id ?? delegated ?? undefined,
  };
}
