/**
 * The updates of an orchestration: its numbered events in the shape the seed systems' clients know. Pieces of text are
 * left out, the finished turn says it all; whoever wants text as it is written follows the invocation.
 */
import { z } from 'zod';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { RunEvent } from '../runs/event.ts';
import { agentId, protocolId, time } from './field.ts';

export const orchestrationUpdate = z
  .object({
    orchestration_id: protocolId,
    seq: z.int().min(1).meta({ description: 'Grows from update to update; numbers may be left out' }),
    agent_id: agentId.nullable(),
    update_type: z.string().meta({
      description:
        'status: of the orchestration as a whole · output: what an agent said · error: an agent failed · else the type of the event',
    }),
    output: z.unknown().meta({ description: 'What the agent said; null for other updates' }),
    timestamp: time,
    metadata: z.record(z.string(), z.unknown()).meta({ description: '`event` is the type of the event; its members' }),
  })
  .meta({ id: 'OrchestrationUpdate', description: 'Something that happened in an orchestration' });

export type OrchestrationUpdate = z.infer<typeof orchestrationUpdate>;

const LEFT_OUT: readonly string[] = ['turn.delta', 'turn.restarted'];

/** The update an event is; undefined for an event that is none. */
export function viewUpdate(event: RunEvent): (OrchestrationUpdate & JsonObject) | undefined {
  if (LEFT_OUT.includes(event.type)) return undefined;
  const data: JsonObject = { ...(event.data as JsonObject) };
  const { agent_id: agent, output = null } = data;
  delete data['agent_id'];
  delete data['output'];
  return {
    orchestration_id: event.runId,
    seq: event.seq,
    agent_id: typeof agent === 'string' ? agent : null,
    update_type: updateType(event),
    output: output as JsonValue,
    timestamp: event.at,
    metadata: { event: event.type, ...data },
  };
}

function updateType({ type }: RunEvent): string {
  if (type === 'turn.completed') return 'output';
  if (type === 'turn.failed') return 'error';
  return type.startsWith('run.') ? 'status' : type;
}
