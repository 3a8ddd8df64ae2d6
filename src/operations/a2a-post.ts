/**
 * The post of agents: takes a message of the agent-to-agent protocol and does what its type asks for. What this server
 * can answer it answers; the rest it puts into the inbox of whoever can.
 */
import { z } from 'zod';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { ListedAgent } from '../delegation/agent-card.ts';
import type { SharedContexts } from '../delegation/agent-context.ts';
import { rejectionCodes } from '../delegation/delegation.ts';
import { type DelegateeWord, type DelegationDesk, unknownDelegation } from '../delegation/delegation-desk.ts';
import { type Push, planeOf } from '../delegation/delegation-log.ts';
import { countOpen } from '../delegation/delegation-store.ts';
import type { AgentDirectory } from '../delegation/directory.ts';
import { discover } from '../delegation/discovery.ts';
import { hashLetter, inboxKey, type Letter, letterExists, type Mail, type SentLetter } from '../delegation/mail.ts';
import type { News } from '../delegation/news.ts';
import { actionType, targetSystem } from '../fabric/action.ts';
import type { Audit } from '../governance/audit/audit.ts';
import type { AuditAction } from '../governance/audit/entry.ts';
import type { Caller } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import { TASK_CHANNEL } from '../tasks/task-store.ts';
import { currentTraceparent } from '../telemetry/tracing.ts';
import type { Delegating } from './a2a-delegation.ts';
import { askedDelegation, askedFilter, filterFrom } from './a2a-field.ts';
import type { Admitted, Ingress } from './a2a-ingress.ts';
import type { AskedMessage } from './a2a-message-spec.ts';
import { jsonOf, type MessageType, type MessageView, viewCapability, viewCard, viewMessage } from './a2a-view.ts';
import { freeForm, protocolId } from './field.ts';
import type { OperationContext } from './operation.ts';

/** Who answers where no agent was asked. */
const SERVER = 'aos-agent-server';
const EXECUTE_WAIT_SECONDS = 5;

export interface Posted {
  readonly message: MessageView;
  readonly reply: MessageView | null;
  readonly delegationId: string | null;
  readonly contextId: string | null;
  readonly scan: JsonObject | null;
}

export interface Post {
  /** @throws AosError as the spec of the operation says */
  send(asked: AskedMessage, context: OperationContext): Promise<Posted>;
}

export interface PostParts {
  readonly database: Pick<Database, 'tenant' | 'notifications'>;
  readonly ingress: Ingress;
  readonly delegating: Delegating;
  readonly desk: DelegationDesk;
  readonly directory: AgentDirectory;
  readonly contexts: SharedContexts;
  readonly mail: Mail;
  readonly news: News;
  readonly queue: Pick<TaskQueue, 'submit'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Clock;
  readonly push?: Push | undefined;
}

/** A message on its way, with what is known of it. */
interface Call {
  readonly asked: AskedMessage;
  readonly id: string;
  readonly caller: Caller;
  readonly from: ListedAgent;
  readonly to: ListedAgent | undefined;
  readonly payload: JsonObject;
  readonly requestHash: string;
  readonly context: OperationContext;
  readonly waitMs: number;
}

/** What a message and its answer share. */
type Words = { readonly type: MessageType; readonly payload: JsonObject };

const about = z.object({ delegation_id: protocolId.nullish(), agent_id: z.string().max(200).nullish() });
const capabilityQuery = z.object({
  agent_id: z.string().max(200).nullish(),
  capability_id: z.string().max(200).nullish(),
});
const discovery = z.object({ filter: askedFilter.nullish() });
const cancellation = z.object({ delegation_id: protocolId.nullish(), reason: z.string().max(500).nullish() });
const execution = z.object({
  target_system: z.string().max(200).default('custom'),
  action_type: z.string().max(200).default('execute'),
  entity_id: z.union([z.string().max(500), z.number()]).nullish(),
  entity_type: z.string().max(200).nullish(),
  data: freeForm.nullish(),
  action_metadata: freeForm.nullish(),
});
const sharing = z.object({ context: freeForm.nullish() });
const updating = z.object({ context_id: protocolId, context: freeForm });
const rejection = z.object({ error: z.string().max(2000).nullish(), code: z.string().max(100).nullish() });
const result = z.object({
  result: z.unknown(),
  error: z.string().max(4000).nullish(),
  code: z.string().max(100).nullish(),
  tokens_used: z.int().min(0).nullish(),
  cost_usd: z.number().min(0).nullish(),
  steps_executed: z.int().min(0).nullish(),
  output_context: freeForm.nullish(),
});

export function createPost(parts: PostParts): Post {
  const { ingress, delegating, desk, directory, contexts, mail, news, queue, audit, clock, push } = parts;
  const { tenant, notifications } = parts.database;

  async function admit({ asked, id, caller, from, payload }: Call): Promise<Admitted> {
    return ingress.admit({
      caller,
      id,
      type: asked.type,
      from: from.id,
      payload,
      fabric: jsonOf(asked.fabric_context),
      metadata: jsonOf(asked.metadata),
      expiresAt: asked.expires_at ?? undefined,
      policy: asked.pii_policy ?? undefined,
      region: asked.region ?? undefined,
    });
  }

  function letterOf(call: Call, { payload, metadata, fabric, scan }: Admitted, more: Partial<Letter> = {}): Letter {
    const { asked, id, caller, from, to } = call;
    return {
      id,
      caller,
      type: asked.type,
      from: from.id,
      to: to?.id ?? '',
      correlationId: asked.correlation_id ?? id,
      inReplyTo: asked.in_reply_to ?? null,
      payload,
      metadata,
      fabric,
      scan,
      expiresAt: asked.expires_at == null ? null : isoTime(asked.expires_at),
      delegationId: null,
      contextId: null,
      taskId: null,
      ...more,
    };
  }

  /** An answer to a letter, by whom it was for. */
  function answerTo(letter: Letter, { type, payload }: Words): Letter {
    const { caller, from, to, correlationId, fabric, metadata } = letter;
    const ends = { from: to === '' ? SERVER : to, to: from };
    const nothing = { scan: null, expiresAt: null, delegationId: null, contextId: null, taskId: null };
    return {
      id: newUuid(),
      caller,
      type,
      ...ends,
      correlationId,
      inReplyTo: letter.id,
      payload,
      metadata,
      fabric,
      ...nothing,
    };
  }

  /** What is answered at once and kept nowhere: asking again costs nothing. */
  function spoken(call: Call, admitted: Admitted, words: Words): Posted {
    const createdAt = isoTime(clock.now());
    const unkept = (letter: Letter) => viewMessage({ ...letter, seq: 0, createdAt, requestHash: '' });
    const letter = letterOf(call, admitted);
    return {
      message: unkept(letter),
      reply: unkept(answerTo(letter, words)),
      delegationId: null,
      contextId: null,
      scan: admitted.scan,
    };
  }

  /** Keeps the letter, with an answer when there is one already, and whatever else belongs to it. */
  async function keep(
    call: Call,
    letter: Letter,
    words: Words | undefined,
    along: (trx: StoreScope) => Promise<void> = async () => {},
  ): Promise<SentLetter> {
    const sent = await tenant(call.caller.tenantId)
      .transaction()
      .execute(async (trx) => {
        await along(trx);
        const posted = await mail.post(trx, letter, call.requestHash);
        if (call.to !== undefined) await push?.(trx, call.to, posted);
        if (words !== undefined) await mail.post(trx, answerTo(letter, words));
        return posted;
      });
    mail.announce(sent);
    return sent;
  }

  /** The letter with its answer, waited for as long as the sender has patience. */
  async function posted(call: Call, sent: SentLetter, isAnswer: (reply: SentLetter) => boolean): Promise<Posted> {
    const { caller, waitMs } = call;
    const ear = await news.listen(inboxKey(caller.tenantId, sent.from));
    const until = clock.monotonic() + waitMs;
    try {
      for (;;) {
        const reply = await mail.replyTo(sent);
        const left = until - clock.monotonic();
        if ((reply !== undefined && isAnswer(reply)) || left <= 0 || call.context.signal.aborted) {
          return {
            message: viewMessage(sent),
            reply: reply === undefined ? null : viewMessage(reply),
            delegationId: sent.delegationId,
            contextId: sent.contextId,
            scan: sent.scan,
          };
        }
        await ear.next(Math.min(left, 1_000), call.context.signal);
      }
    } finally {
      ear.close();
    }
  }

  const note = (
    trx: StoreScope,
    action: AuditAction,
    letter: Letter,
    more: { reason?: string; task_id?: string } = {},
  ) =>
    audit.write(trx, {
      tenantId: letter.caller.tenantId,
      action,
      actor: { type: 'agent', id: letter.from },
      outcome: more.reason === undefined ? 'success' : 'failure',
      from_agent: letter.from,
      to_agent: letter.to === '' ? null : letter.to,
      agent_id: letter.from,
      message_id: letter.id,
      owner: letter.caller.userId,
      ...planeOf(letter.fabric),
      ...more,
    });

  /** The delegation that a word of its delegatee is about. */
  async function wordOf(call: Call, admitted: Admitted): Promise<DelegateeWord> {
    const { asked, caller, from, requestHash } = call;
    const original = asked.in_reply_to == null ? undefined : await mail.find(caller.tenantId, asked.in_reply_to);
    const named = admitted.payload['delegation_id'];
    const id = typeof named === 'string' ? named : original?.delegationId;
    const delegation = typeof id === 'string' ? await desk.find(caller, id) : undefined;
    if (delegation === undefined || delegation.to !== from.id) throw unknownDelegation(String(id ?? asked.in_reply_to));
    const letter = {
      ...letterOf(call, { ...admitted, payload: { ...admitted.payload, delegation_id: delegation.id } }),
      to: delegation.from,
      correlationId: delegation.correlationId,
      inReplyTo: delegation.messageId,
      delegationId: delegation.id,
      caller: delegation.caller,
    };
    return { caller, id: delegation.id, agent: from.id, letter: { letter, requestHash } };
  }

  async function replied(call: Call): Promise<Posted> {
    const sent = await mail.find(call.caller.tenantId, call.id);
    if (sent === undefined) throw new Error(`the message ${call.id} was not kept`);
    return posted({ ...call, waitMs: 0 }, sent, () => true);
  }

  /** An answer of an agent to a message it got, which is all that happens. */
  async function passOn(call: Call, admitted: Admitted): Promise<Posted> {
    const { asked, caller, from } = call;
    if (asked.in_reply_to == null) {
      throw new AosError(
        'invalid_request',
        `"in_reply_to" is missing: a message of the type ${asked.type} answers another`,
      );
    }
    const original = await mail.find(caller.tenantId, asked.in_reply_to);
    if (original === undefined || original.to !== from.id || !isOwn(from, original, caller)) {
      throw new AosError('not_found', `Message ${asked.in_reply_to} not found`, { reason: 'MESSAGE_NOT_FOUND' });
    }
    if (original.expiresAt !== null && Date.parse(original.expiresAt) <= clock.now()) {
      throw new AosError('unprocessable', `the message ${original.id} has expired at ${original.expiresAt}`, {
        reason: 'EXPIRED',
        facts: { expires_at: original.expiresAt },
      });
    }
    const letter = {
      ...letterOf(call, admitted),
      to: original.from,
      caller: original.caller,
      correlationId: original.correlationId,
      inReplyTo: original.id,
    };
    await keep({ ...call, to: await directory.find(caller.tenantId, original.from) }, letter, undefined);
    return replied(call);
  }

  const handlers: Partial<Record<MessageType, (call: Call) => Promise<Posted>>> = {
    async discover(call) {
      const { filter } = checkSchema(discovery, call.payload, 'the payload');
      const asked = filter ?? askedFilter.parse({});
      const { limit, offset } = asked;
      const isForeign = asked.tenant_id != null && asked.tenant_id !== call.caller.tenantId;
      const all = isForeign ? [] : discover(await directory.list(call.caller.tenantId), filterFrom(asked));
      const agents = all.slice(offset, offset + limit).map((agent) => jsonOf(viewCard(agent)));
      const payload = { agents, total: all.length, has_more: all.length > offset + limit };
      return spoken(call, await admit(call), { type: 'discover_response', payload });
    },
    async capability_query(call) {
      const { agent_id: agentId, capability_id: wanted } = checkSchema(capabilityQuery, call.payload, 'the payload');
      const { tenantId } = call.caller;
      const admitted = await admit(call);
      const agent = agentId == null ? call.to : await directory.find(tenantId, agentId);
      const among = agent !== undefined ? [agent] : agentId == null ? await directory.list(tenantId) : [];
      const able = among.flatMap(({ id, card }) =>
        card.capabilities
          .filter((capability) => wanted == null || capability.id === wanted)
          .map((capability) => ({ ...jsonOf(viewCapability(capability)), agent_id: id })),
      );
      if (able.length > 0)
        return spoken(call, admitted, { type: 'capability_response', payload: { capabilities: able } });
      const what = wanted == null ? `agent ${agentId}` : `the capability "${wanted}"`;
      return spoken(call, admitted, { type: 'error', payload: { error: `${what} was not found`, code: 'NOT_FOUND' } });
    },
    async status_query(call) {
      const { delegation_id: id, agent_id: agentId } = checkSchema(about, call.payload, 'the payload');
      const admitted = await admit(call);
      const letter = letterOf(call, admitted);
      if (id != null) {
        const delegation = await desk.find(call.caller, id);
        await note(
          tenant(call.caller.tenantId),
          'A2A_STATUS_QUERY',
          letter,
          delegation === undefined ? { reason: 'NOT_FOUND' } : {},
        );
        if (delegation === undefined) {
          return spoken(call, admitted, {
            type: 'error',
            payload: { error: `Delegation ${id} not found`, code: 'NOT_FOUND' },
          });
        }
        const { status, result, failure } = delegation;
        const payload = {
          delegation_id: id,
          status,
          result,
          error: failure?.message ?? null,
          code: failure?.code ?? null,
        };
        return spoken(call, admitted, { type: 'status_response', payload });
      }
      const agent = agentId == null ? (call.to ?? call.from) : await directory.find(call.caller.tenantId, agentId);
      await note(
        tenant(call.caller.tenantId),
        'A2A_STATUS_QUERY',
        letter,
        agent === undefined ? { reason: 'NOT_FOUND' } : {},
      );
      if (agent === undefined) {
        return spoken(call, admitted, {
          type: 'error',
          payload: { error: `Agent ${agentId} not found`, code: 'NOT_FOUND' },
        });
      }
      const payload = {
        agent_id: agent.id,
        agent_name: agent.card.name,
        health_status: agent.health,
        active_delegations: await countOpen(tenant(call.caller.tenantId), call.caller.tenantId, agent.id),
      };
      return spoken(call, admitted, { type: 'status_response', payload });
    },
    async cancel(call) {
      const { delegation_id: id, reason } = checkSchema(cancellation, call.payload, 'the payload');
      const original =
        call.asked.in_reply_to == null ? undefined : await mail.find(call.caller.tenantId, call.asked.in_reply_to);
      const named = id ?? original?.delegationId;
      if (named == null)
        throw new AosError('invalid_request', '"payload.delegation_id" is missing: what is to be cancelled?');
      const admitted = await admit(call);
      try {
        const { status } = await desk.cancel(call.caller, named, reason || `cancelled by ${call.from.id}`);
        return spoken(call, admitted, { type: 'cancel_ack', payload: { delegation_id: named, status } });
      } catch (thrown) {
        if (!(thrown instanceof AosError) || thrown.status >= 500) throw thrown;
        const { facts, message } = thrown;
        // Asking twice is no fault.
        if (facts['status'] === 'cancelled') {
          return spoken(call, admitted, { type: 'cancel_ack', payload: { delegation_id: named, status: 'cancelled' } });
        }
        const code = thrown.code === 'not_found' ? 'NOT_FOUND' : (thrown.reason ?? 'CANCEL_FAILED');
        return spoken(call, admitted, { type: 'error', payload: { error: message, code, ...facts } });
      }
    },
    async ping(call) {
      const { to, waitMs } = call;
      const admitted = await admit(call);
      if (to !== undefined && !to.isOurs && waitMs > 0) {
        return posted(call, await keep(call, letterOf(call, admitted), undefined), () => true);
      }
      const payload = {
        agent_id: to?.id ?? SERVER,
        health_status: to?.health ?? 'healthy',
        answered_by: 'server',
        timestamp: isoTime(clock.now()),
      };
      return spoken(call, admitted, { type: 'pong', payload });
    },
    async delegate(call) {
      const { asked, id, caller, from, context } = call;
      const order = {
        caller,
        id,
        from: from.id,
        to: asked.to_agent ?? undefined,
        asked: checkSchema(askedDelegation, call.payload, 'the payload'),
        correlationId: asked.correlation_id ?? undefined,
        fabric: jsonOf(asked.fabric_context),
        metadata: jsonOf(asked.metadata),
        expiresAt: asked.expires_at ?? undefined,
        policy: asked.pii_policy ?? undefined,
        region: asked.region ?? undefined,
        callId: context.callId,
      };
      try {
        const { letter } = await delegating.order(order);
        // The acceptance is there at once; who waits, waits for the result.
        return posted(call, letter, ({ type }) => call.waitMs === 0 || type !== 'delegate_accept');
      } catch (thrown) {
        if (!(thrown instanceof AosError) || !rejectionCodes.some((code) => code === thrown.reason)) throw thrown;
        const admitted = { payload: call.payload, metadata: {}, scan: null, fabric: {}, plane: undefined };
        const payload = { error: thrown.message, code: thrown.reason ?? '', ...thrown.facts };
        return spoken(call, admitted, { type: 'delegate_reject', payload });
      }
    },
    async execute(call) {
      const { asked, caller, from, context } = call;
      const admitted = await admit(call);
      const { target_system, action_type, ...wanted } = checkSchema(execution, admitted.payload, 'the payload');
      const fault = faultOf(target_system, action_type);
      const taskId = newUuid();
      const letter = letterOf(call, admitted, fault === undefined ? { taskId } : {});
      const sent = await keep(call, letter, fault && { type: 'error', payload: fault }, async (trx) => {
        await note(
          trx,
          'A2A_EXECUTE',
          letter,
          fault === undefined ? { task_id: taskId } : { reason: String(fault['code']) },
        );
        if (fault !== undefined) return;
        const task = {
          task_type: 'fabric_action' as const,
          agent_id: from.id,
          target_system: target_system.toLowerCase(),
          action_type: action_type.toLowerCase(),
          payload: jsonOf({
            ...(wanted.entity_id != null && { entity_id: String(wanted.entity_id) }),
            ...(wanted.entity_type != null && { entity_type: wanted.entity_type }),
            data: wanted.data ?? {},
            metadata: wanted.action_metadata ?? {},
            correlation_id: asked.correlation_id ?? call.id,
            ...(admitted.plane !== undefined && { plane: admitted.plane }),
          }),
          metadata: { message_id: call.id, to_agent: call.to?.id ?? null },
        };
        const options = { id: taskId, callId: context.callId, traceparent: currentTraceparent(), within: trx };
        await queue.submit(task, caller, options);
      });
      if (fault === undefined) notifications.announce(TASK_CHANNEL, 'work', 'work');
      return posted(call, sent, () => true);
    },
    async context_share(call) {
      const { id, caller, from, to } = call;
      if (to === undefined) throw new AosError('invalid_request', '"to_agent" is missing: who is to know it?');
      const admitted = await admit(call);
      const { context = {} } = checkSchema(sharing, admitted.payload, 'the payload');
      const contextId = newUuid();
      const letter = letterOf(
        call,
        { ...admitted, payload: { ...admitted.payload, context_id: contextId } },
        { contextId },
      );
      const sent = await keep(call, letter, undefined, async (trx) => {
        await note(trx, 'A2A_CONTEXT_SHARE', letter);
        const { correlationId, scan, expiresAt } = letter;
        const place = { id: contextId, caller, from: from.id, to: to.id, correlationId };
        await contexts.share(trx, { ...place, context: jsonOf(context), scan, expiresAt });
      });
      return posted({ ...call, id, waitMs: 0 }, sent, () => true);
    },
    async context_update(call) {
      const { caller, from } = call;
      const admitted = await admit(call);
      const { context_id: contextId, context } = checkSchema(updating, admitted.payload, 'the payload');
      const known = await contexts.find(caller.tenantId, contextId);
      const to = known && (await directory.find(caller.tenantId, known.to));
      const letter = {
        ...letterOf(call, admitted, { contextId }),
        ...(known !== undefined && { to: known.to, correlationId: known.correlationId }),
      };
      const sent = await keep({ ...call, to }, letter, undefined, async (trx) => {
        await contexts.update(trx, { caller, from: from.id, id: contextId }, jsonOf(context), admitted.scan);
        await note(trx, 'A2A_CONTEXT_SHARE', letter);
      });
      return posted({ ...call, waitMs: 0 }, sent, () => true);
    },
    async delegate_accept(call) {
      const admitted = await admit(call);
      await desk.accept(await wordOf(call, admitted));
      return replied(call);
    },
    async delegate_reject(call) {
      const admitted = await admit(call);
      const { error, code } = checkSchema(rejection, admitted.payload, 'the payload');
      await desk.reject(await wordOf(call, admitted), {
        code: code ?? 'REJECTED',
        message: error ?? `${call.from.id} rejected it`,
      });
      return replied(call);
    },
    async delegate_result(call) {
      const admitted = await admit(call);
      const said = checkSchema(result, admitted.payload, 'the payload');
      const { tokens_used: tokens, cost_usd: costUsd, steps_executed: steps } = said;
      const failure = said.error == null ? null : { code: said.code ?? 'FAILED', message: said.error };
      const status = failure === null ? 'completed' : 'failed';
      const told = { result: null, error: null, ...admitted.payload, status };
      await desk.complete(await wordOf(call, { ...admitted, payload: told }), {
        result: (said.result ?? null) as JsonValue,
        outputContext: said.output_context == null ? null : jsonOf(said.output_context),
        failure,
        tokens: tokens ?? null,
        costUsd: costUsd ?? null,
        steps: steps ?? null,
      });
      return replied(call);
    },
    async status_response(call) {
      const admitted = await admit(call);
      if (admitted.payload['status'] !== 'in_progress') return passOn(call, admitted);
      await desk.begin(await wordOf(call, admitted));
      return replied(call);
    },
  };

  return {
    async send(asked, context) {
      const { caller } = context;
      const { wait: _wait, id: given, timestamp: _timestamp, created_at: _created, ...sent } = asked;
      const from = await directory.speaker(caller, asked.from_agent);
      const id = given ?? newUuid();
      const payload = jsonOf(asked.payload);
      const waitMs = (asked.wait ?? (asked.type === 'execute' ? EXECUTE_WAIT_SECONDS : 0)) * 1000;
      const requestHash = hashLetter(jsonOf({ ...sent, payload }));
      const call: Call = { asked, id, caller, from, to: undefined, payload, requestHash, context, waitMs };
      // A delegation has its own way of knowing itself again.
      const known = asked.type === 'delegate' || given == null ? undefined : await mail.find(caller.tenantId, id);
      if (known !== undefined) {
        const isSame = known.requestHash === requestHash && known.from === from.id;
        if (!isSame || !isOwn(from, known, caller)) throw letterExists(id);
        return posted(call, known, () => true);
      }
      const isOffer = asked.type === 'delegate';
      const to = asked.to_agent == null || isOffer ? undefined : await directory.need(caller.tenantId, asked.to_agent);
      const handler = handlers[asked.type];
      if (handler !== undefined) return handler({ ...call, to });
      const whole = { ...call, to };
      return passOn(whole, await admit(whole));
    },
  };
}

/** Whether a letter of an agent, or to it, is its speaker's: everybody speaks for an agent of this server, in own matters. */
function isOwn(agent: ListedAgent, letter: Letter, caller: Caller): boolean {
  return !agent.isOurs || caller.userId === '' || letter.caller.userId === caller.userId;
}

/** What is wrong with an action; undefined when nothing is. */
function faultOf(target: string, type: string): JsonObject | undefined {
  const checks = [
    [() => targetSystem(target), 'INVALID_TARGET_SYSTEM'],
    [() => actionType(type), 'INVALID_ACTION_TYPE'],
  ] as const;
  for (const [check, code] of checks) {
    try {
      check();
    } catch (thrown) {
      if (!(thrown instanceof AosError)) throw thrown;
      return { error: thrown.message, code };
    }
  }
  return undefined;
}
