/** Messages that ask for an action of the fabric: it becomes a task, and the letter is answered when that has ended. */
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import { type JsonObject, jsonOf } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import { actionType, targetSystem } from '../fabric/action.ts';
import type { Database } from '../store/database.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import { TASK_CHANNEL } from '../tasks/task-store.ts';
import { currentTraceparent } from '../telemetry/tracing.ts';
import type { Correspondence, Handlers } from './a2a-correspondence.ts';
import { freeForm } from './field.ts';

const execution = z.object({
  target_system: z.string().max(200).default('custom'),
  action_type: z.string().max(200).default('execute'),
  entity_id: z.union([z.string().max(500), z.number()]).nullish(),
  entity_type: z.string().max(200).nullish(),
  data: freeForm.nullish(),
  action_metadata: freeForm.nullish(),
});

export interface ExecutionParts {
  readonly database: Pick<Database, 'notifications'>;
  readonly correspondence: Correspondence;
  readonly queue: Pick<TaskQueue, 'submit'>;
}

export function createExecutions({ database, correspondence, queue }: ExecutionParts): Handlers {
  const { admit, letterOf, keep, posted, note } = correspondence;
  const { notifications } = database;

  return {
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
  };
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
