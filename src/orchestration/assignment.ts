/** What a run's request gives every agent to work on. */
import type { Assignment, Purpose } from '../agents/brief.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { Run } from '../runs/run.ts';

export function assignmentOf({ request, createdAt }: Pick<Run, 'request' | 'createdAt'>): Assignment {
  return {
    task: object(request['task']),
    context: object(request['context']),
    purpose: purposeOf(request['purpose']),
    today: dayOf(createdAt),
  };
}

/** A bare text, or the object form with a scope. */
export function purposeOf(value: JsonValue | undefined): Purpose | undefined {
  const stated = text(value) ?? text(object(value)['purpose']);
  if (stated === undefined) return undefined;
  return { purpose: stated, scope: text(object(value)['purpose_scope']) ?? 'General orchestration scope' };
}

/** The ISO date of an ISO time. */
export function dayOf(isoTime: string): string {
  return isoTime.slice(0, 10);
}

function object(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
