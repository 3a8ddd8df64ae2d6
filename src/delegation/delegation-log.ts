/**
 * What a change of a delegation leaves behind, in the transaction that makes it: a letter to whoever has to know, an
 * entry of the audit log, a fact of the feed.
 */
import { newUuid } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { Outbox } from '../egress/outbox.ts';
import type { Audit } from '../governance/audit/audit.ts';
import type { AuditAction, AuditOutcome } from '../governance/audit/entry.ts';
import type { Feed } from '../runs/feed.ts';
import type { StoreScope } from '../store/database.ts';
import type { Task } from '../tasks/task.ts';
import type { ListedAgent } from './agent-card.ts';
import type { Delegation } from './delegation.ts';
import type { Mail, SentLetter } from './mail.ts';

/** What there is to write to somebody; how it is worded is the protocol's. */
export type Tidings =
  | { readonly kind: 'accepted' | 'rejected' | 'ended' | 'withdrawn'; readonly delegation: Delegation }
  | { readonly kind: 'executed'; readonly request: SentLetter; readonly task: Task };

/** A letter's words in a protocol. */
export type Compose = (tidings: Tidings) => Words | Promise<Words>;

export interface Words {
  readonly type: string;
  readonly payload: JsonObject;
}

/** How an agent that is not ours is brought its letters, beside its inbox; undefined: it fetches them. */
export type Push = (within: StoreScope, agent: ListedAgent, letter: SentLetter) => Promise<void>;

export interface DelegationLogParts {
  readonly mail: Mail;
  readonly audit: Pick<Audit, 'write'>;
  readonly feed: Pick<Feed, 'write'>;
  readonly compose: Compose;
}

export interface DelegationLog {
  /** To whoever handed it on: what became of it. */
  answer(within: StoreScope, kind: 'accepted' | 'rejected' | 'ended', delegation: Delegation): Promise<SentLetter>;
  /** To whoever has it: that it is wanted no longer. */
  withdraw(within: StoreScope, delegation: Delegation): Promise<SentLetter>;
  tell(within: StoreScope, change: DelegationChange): Promise<void>;
}

export interface DelegationChange {
  readonly delegation: Delegation;
  /** Left out where the audit log has nothing to tell: its task tells it. */
  readonly action?: AuditAction;
  readonly outcome?: AuditOutcome;
  /** The administrator who did it, where it was none of the agents. */
  readonly by?: string | undefined;
  /** The feed's word, after `delegation.`. */
  readonly fact: string;
}

export function createDelegationLog({ mail, audit, feed, compose }: DelegationLogParts): DelegationLog {
  async function write(within: StoreScope, tidings: Exclude<Tidings, { kind: 'executed' }>, toDelegatee: boolean) {
    const { delegation } = tidings;
    const [from, to] = toDelegatee ? [delegation.from, delegation.to] : [delegation.to, delegation.from];
    return mail.post(within, {
      id: newUuid(),
      caller: delegation.caller,
      from,
      to,
      correlationId: delegation.correlationId,
      inReplyTo: toDelegatee ? null : delegation.messageId,
      metadata: {},
      fabric: delegation.fabric,
      scan: null,
      expiresAt: null,
      delegationId: delegation.id,
      contextId: null,
      taskId: null,
      ...(await compose(tidings)),
    });
  }

  return {
    answer: (within, kind, delegation) => write(within, { kind, delegation }, false),
    withdraw: (within, delegation) => write(within, { kind: 'withdrawn', delegation }, true),
    async tell(within, { delegation, action, outcome = 'success', by, fact }) {
      const { id, caller, from, to, status, failure, taskId, runId, parentRunId } = delegation;
      const { tenantId, userId } = caller;
      if (action !== undefined) {
        await audit.write(within, {
          tenantId,
          action,
          actor:
            by === undefined
              ? {
                  type: 'agent',
                  id: action === 'A2A_DELEGATE_ACCEPT' || action === 'A2A_DELEGATE_REJECT' ? to : from,
                }
              : { type: 'user', id: by },
          outcome,
          from_agent: from,
          to_agent: to,
          agent_id: from,
          message_id: delegation.messageId,
          task_id: taskId,
          run_id: runId,
          reason: failure?.code ?? null,
          owner: userId,
          ...planeOf(delegation.fabric),
          details: { delegation_id: id, status, depth: delegation.chain.length, capability_id: delegation.capability },
        });
      }
      await feed.write(within, {
        tenantId,
        userId,
        type: `delegation.${fact}`,
        subject: id,
        data: {
          delegation_id: id,
          from_agent: from,
          to_agent: to,
          status,
          task_id: taskId,
          parent_run_id: parentRunId,
          ...(failure !== null && { code: failure.code }),
          ...(by !== undefined && { changed_by: by }),
        },
      });
    },
  };
}

/** The plane of a fabric context, as the audit log writes it. */
export function planeOf(fabric: JsonObject): { Primary_Plane_ID?: string; fabric_preset?: string } {
  const { primary_plane_id: plane, fabric_preset: preset } = fabric;
  return {
    ...(typeof plane === 'string' && { Primary_Plane_ID: plane }),
    ...(typeof preset === 'string' && { fabric_preset: preset }),
  };
}

/**
 * Letters for agents with an address of their own, brought there by the outbox.
 * @param word the letter as its protocol writes it
 */
export function pushThrough(outbox: Pick<Outbox, 'enqueue'>, word: (letter: SentLetter) => Promise<JsonObject>): Push {
  return async (within, agent, letter) => {
    const endpoint = agent.card.endpoints.find(({ protocol }) => protocol === 'https');
    if (agent.isOurs || endpoint === undefined) return;
    await outbox.enqueue(within, {
      ...letter.caller,
      kind: 'a2a',
      subject: letter.id,
      url: endpoint.url,
      headers: { 'x-aos-message-type': 'a2a_message' },
      body: JSON.stringify(await word(letter)),
      dedupeKey: `a2a ${letter.caller.tenantId} ${letter.id}`,
    });
  };
}
