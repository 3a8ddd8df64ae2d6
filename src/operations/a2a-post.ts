/**
 * The post of agents: takes a message of the agent-to-agent protocol and does what its type asks for. What this server
 * can answer it answers; the rest it puts into the inbox of whoever can.
 */
import { newUuid } from '../core/ids.ts';
import { jsonOf } from '../core/json.ts';
import type { SharedContexts } from '../delegation/agent-context.ts';
import type { DelegationDesk } from '../delegation/delegation-desk.ts';
import type { AgentDirectory } from '../delegation/directory.ts';
import { hashLetter, letterExists } from '../delegation/mail.ts';
import type { Database } from '../store/database.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import { createPassOn, isOwn } from './a2a-answer.ts';
import {
  type Call,
  type CorrespondenceParts,
  createCorrespondence,
  type Handlers,
  type Posted,
} from './a2a-correspondence.ts';
import { createDelegatees } from './a2a-delegatee.ts';
import type { Delegating } from './a2a-delegating.ts';
import { createDelegators } from './a2a-delegator.ts';
import { createEnquiries } from './a2a-enquiry.ts';
import { createExecutions } from './a2a-execution.ts';
import type { AskedMessage } from './a2a-message-spec.ts';
import { createSharing } from './a2a-sharing.ts';
import type { OperationContext } from './operation.ts';

const EXECUTE_WAIT_SECONDS = 5;

export interface Post {
  /** @throws AosError as the spec of the operation says */
  send(asked: AskedMessage, context: OperationContext): Promise<Posted>;
}

export interface PostParts extends CorrespondenceParts {
  readonly database: Pick<Database, 'tenant' | 'notifications'>;
  readonly delegating: Delegating;
  readonly desk: DelegationDesk;
  readonly directory: AgentDirectory;
  readonly contexts: SharedContexts;
  readonly queue: Pick<TaskQueue, 'submit'>;
}

export function createPost(parts: PostParts): Post {
  const { directory, mail } = parts;
  const correspondence = createCorrespondence(parts);
  const { admit, posted } = correspondence;
  const passOn = createPassOn({ ...parts, correspondence });
  const handlers: Handlers = {
    ...createEnquiries({ ...parts, correspondence }),
    ...createDelegators({ ...parts, correspondence }),
    ...createDelegatees({ ...parts, correspondence, passOn }),
    ...createExecutions({ ...parts, correspondence }),
    ...createSharing({ ...parts, correspondence }),
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
