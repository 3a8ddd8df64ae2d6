/** A task that asks to come in, as an action: for the entrance, and for its run where somebody has to agree. */
import type { JsonObject } from '../core/json.ts';
import type { ProposedAction } from '../governance/action.ts';

/** @param asked what was submitted, filled in; of it the rules speak */
export function entranceOfTask(id: string, asked: JsonObject): ProposedAction {
  const { task_type: type, target_system: target } = asked;
  return {
    name: `submit ${id}`,
    what: { kind: 'task', type: 'submit', target: null, actionClass: String(type), effect: 'write', entityId: id },
    agentId: null,
    args: asked,
    title: `A task of type ${String(type)}${typeof target === 'string' ? ` for ${target}` : ''}`,
  };
}
