/** Messages between agents over the agent-to-agent API: sent, looked at, drained from inboxes. */
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { type SharedContext, type SharedContexts, unknownContext } from '../delegation/agent-context.ts';
import type { AgentDirectory } from '../delegation/directory.ts';
import { type Inbox, inboxKey, type Mail, mayRead, type SentLetter } from '../delegation/mail.ts';
import type { News } from '../delegation/news.ts';
import type { LetterEgress } from './a2a-egress.ts';
import { getContext, getMessage, readInbox, sendMessage, shareContext } from './a2a-message-spec.ts';
import { viewMessage } from './a2a-message-view.ts';
import type { Post } from './a2a-post.ts';
import { type Operation, realize, type StreamItem } from './operation.ts';

export interface A2aMessageParts {
  readonly post: Post;
  readonly letterEgress: LetterEgress;
  readonly agentDirectory: AgentDirectory;
  readonly mail: Mail;
  readonly news: News;
  readonly sharedContexts: SharedContexts;
}

export function createA2aMessageOperations(parts: A2aMessageParts): readonly Operation[] {
  const { post, letterEgress: out, agentDirectory: directory, mail, news, sharedContexts: contexts } = parts;

  async function drain(inbox: Inbox, after: number, limit: number, waitMs: number, signal: AbortSignal) {
    const now = await mail.read(inbox, after, limit);
    if (now.length > 0 || waitMs === 0) return now;
    const ear = await news.listen(inboxKey(inbox.agent.tenantId, inbox.agent.id));
    try {
      const since = await mail.read(inbox, after, limit);
      if (since.length > 0) return since;
      await ear.next(waitMs, signal);
      return await mail.read(inbox, after, limit);
    } finally {
      ear.close();
    }
  }

  async function* streamed(letters: AsyncIterable<SentLetter>): AsyncGenerator<StreamItem> {
    for await (const letter of letters) {
      yield { id: letter.seq, event: letter.type, data: viewMessage(await out.letter(letter)) as JsonObject };
    }
  }

  return [
    realize(sendMessage, async (asked, context) => {
      const { message, reply, delegationId, contextId, scan } = await post.send(asked, context);
      return {
        message_id: message.id,
        status: reply === null ? ('delivered' as const) : ('answered' as const),
        message,
        reply,
        delegation_id: delegationId,
        context_id: contextId,
        scan,
      };
    }),
    realize(getMessage, async ({ message_id: id }, { caller }) => {
      const letter = await mail.find(caller.tenantId, id);
      const ends = letter === undefined ? [] : [letter.from, letter.to];
      const agents = await Promise.all(ends.map((end) => directory.find(caller.tenantId, end)));
      if (letter === undefined || !mayRead(letter, agents, caller)) {
        throw new AosError('not_found', `Message ${id} not found`, { reason: 'MESSAGE_NOT_FOUND' });
      }
      const reply = await mail.replyTo(letter);
      const [message, answer] = await Promise.all([letter, reply].map((one) => one && out.letter(one)));
      return {
        message: viewMessage(message ?? letter),
        reply: answer === undefined ? null : viewMessage(answer),
      };
    }),
    realize(
      readInbox,
      async ({ agent_id: id, after, wait, limit }, { caller, signal }) => {
        const agent = await directory.speaker(caller, id);
        const letters = await drain({ agent, caller }, after, limit, wait * 1000, signal);
        const messages = (await Promise.all(letters.map(out.letter))).map(viewMessage);
        return { agent_id: id, messages, next_after: letters.at(-1)?.seq ?? after };
      },
      async ({ agent_id: id, after }, { caller, signal }) => {
        const agent = await directory.speaker(caller, id);
        return streamed(mail.follow({ agent, caller }, after, signal));
      },
    ),
    realize(shareContext, async (asked, context) => {
      const { context: told, message_id: id, target_agent_id: target, ...rest } = asked;
      const message = {
        ...rest,
        id,
        type: 'context_share' as const,
        to_agent: rest.to_agent ?? target,
        payload: { context: told },
      };
      const sent = await post.send(message, context);
      const shared = await contexts.find(context.caller.tenantId, sent.contextId ?? '');
      if (shared === undefined) throw unknownContext(sent.contextId ?? '');
      return { ...viewContext(shared), message_id: sent.message.id, fabric_context: sent.message.fabric_context };
    }),
    realize(getContext, async ({ context_id: id }, { caller }) => {
      const shared = await contexts.find(caller.tenantId, id);
      const ends = shared === undefined ? [] : [shared.from, shared.to];
      const agents = await Promise.all(ends.map((end) => directory.find(caller.tenantId, end)));
      if (shared === undefined || !mayRead(shared, agents, caller)) throw unknownContext(id);
      return viewContext({ ...shared, context: await out.data(caller.tenantId, shared.context) });
    }),
  ];
}

function viewContext(shared: SharedContext) {
  return {
    context_id: shared.id,
    from_agent: shared.from,
    to_agent: shared.to,
    correlation_id: shared.correlationId,
    context: shared.context,
    version: shared.version,
    created_at: shared.createdAt,
    updated_at: shared.updatedAt,
    expires_at: shared.expiresAt,
    scan: shared.scan,
  };
}
