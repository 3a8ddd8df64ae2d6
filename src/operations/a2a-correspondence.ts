/** How a message is taken down and answered, whatever its type asks for: let in, kept, answered at once or waited for. */
import { type Clock, isoTime } from '../core/clock.ts';
import { newUuid } from '../core/ids.ts';
import { type JsonObject, jsonOf } from '../core/json.ts';
import type { ListedAgent } from '../delegation/agent-card.ts';
import { type Push, planeOf } from '../delegation/delegation-log.ts';
import { inboxKey, type Letter, type Mail, type SentLetter } from '../delegation/mail.ts';
import type { News } from '../delegation/news.ts';
import type { Audit } from '../governance/audit/audit.ts';
import type { AuditAction } from '../governance/audit/entry.ts';
import type { Caller } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { Admitted, Ingress } from './a2a-ingress.ts';
import type { AskedMessage } from './a2a-message-spec.ts';
import { type MessageView, viewMessage } from './a2a-message-view.ts';
import type { MessageType } from './a2a-protocol.ts';
import type { OperationContext } from './operation.ts';

/** Who answers where no agent was asked. */
export const SERVER = 'aos-agent-server';

/** A message on its way, with what is known of it. */
export interface Call {
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

/** A message that was sent, with its answer if there is one by then. */
export interface Posted {
  readonly message: MessageView;
  readonly reply: MessageView | null;
  readonly delegationId: string | null;
  readonly contextId: string | null;
  readonly scan: JsonObject | null;
}

/** Does what messages of some types ask for. */
export type Handlers = Partial<Record<MessageType, (call: Call) => Promise<Posted>>>;

/** What a message and its answer share. */
export type Words = { readonly type: MessageType; readonly payload: JsonObject };

export interface Correspondence {
  /** @throws AosError as {@link Ingress.admit} does */
  admit(call: Call): Promise<Admitted>;
  letterOf(call: Call, admitted: Admitted, more?: Partial<Letter>): Letter;
  /** What is answered at once and kept nowhere: asking again costs nothing. */
  spoken(call: Call, admitted: Admitted, words: Words): Posted;
  /** Keeps the letter, with an answer when there is one already, and whatever else belongs to it. */
  keep(
    call: Call,
    letter: Letter,
    words: Words | undefined,
    along?: (trx: StoreScope) => Promise<void>,
  ): Promise<SentLetter>;
  /** The letter with its answer, waited for as long as the sender has patience. */
  posted(call: Call, sent: SentLetter, isAnswer: (reply: SentLetter) => boolean): Promise<Posted>;
  /** The letter as it was kept, with the answer that there is. */
  replied(call: Call): Promise<Posted>;
  /** An entry of the audit log on a letter. @param more `reason`: it failed */
  note(
    within: StoreScope,
    action: AuditAction,
    letter: Letter,
    more?: { readonly reason?: string; readonly task_id?: string },
  ): Promise<void>;
}

export interface CorrespondenceParts {
  readonly database: Pick<Database, 'tenant'>;
  readonly ingress: Ingress;
  readonly mail: Mail;
  readonly news: News;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Clock;
  readonly push?: Push | undefined;
}

export function createCorrespondence(parts: CorrespondenceParts): Correspondence {
  const { ingress, mail, news, audit, clock, push } = parts;
  const { tenant } = parts.database;

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

  async function replied(call: Call): Promise<Posted> {
    const sent = await mail.find(call.caller.tenantId, call.id);
    if (sent === undefined) throw new Error(`the message ${call.id} was not kept`);
    return posted({ ...call, waitMs: 0 }, sent, () => true);
  }

  return {
    admit,
    letterOf,
    spoken,
    keep,
    posted,
    replied,
    note: (trx, action, letter, more = {}) =>
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
      }),
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
