/** Answers of agents to messages that they got: brought to whoever asked, which is all that happens. */
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { ListedAgent } from '../delegation/agent-card.ts';
import type { AgentDirectory } from '../delegation/directory.ts';
import type { Letter, Mail } from '../delegation/mail.ts';
import type { Caller } from '../runs/run.ts';
import type { Call, Correspondence, Posted } from './a2a-correspondence.ts';
import type { Admitted } from './a2a-ingress.ts';

/**
 * Brings an answer to whoever asked.
 * @throws AosError invalid_request when it answers nothing; not_found for a message that the agent did not get;
 * unprocessable (EXPIRED)
 */
export type PassOn = (call: Call, admitted: Admitted) => Promise<Posted>;

export interface AnswerParts {
  readonly correspondence: Correspondence;
  readonly directory: AgentDirectory;
  readonly mail: Mail;
  readonly clock: Clock;
}

export function createPassOn({ correspondence, directory, mail, clock }: AnswerParts): PassOn {
  const { letterOf, keep, replied } = correspondence;

  return async (call, admitted) => {
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
  };
}

/** Whether a letter of an agent, or to it, is its speaker's: everybody speaks for an agent of this server, in own matters. */
export function isOwn(agent: ListedAgent, letter: Letter, caller: Caller): boolean {
  return !agent.isOurs || caller.userId === '' || letter.caller.userId === caller.userId;
}
