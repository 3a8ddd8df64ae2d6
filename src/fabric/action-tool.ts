/**
 * The planes as a tool of agents: what an agent wants done to a system goes through the router like any action, as steps
 * and waits of the agent's own run. It is judged as what it is (`fabric:finance:execute`); no address is ever seen.
 */

import { z } from 'zod';
import type { Tool } from '../agents/tool.ts';
import type { JsonObject } from '../core/json.ts';
import { globalKey } from '../runs/run.ts';
import { actionTypes, isReading, targetSystems } from './action.ts';
import { keyUuid } from './message.ts';
import type { Router } from './router.ts';

export const ACTION_TOOL = 'fabric_action';

const input = z.object({
  target_system: z.enum(targetSystems).describe('Which kind of system.'),
  action_type: z.enum(actionTypes).describe('What is to be done to it.'),
  entity_id: z.string().min(1).max(500).optional().describe("The system's id of what it is done to."),
  entity_type: z.string().min(1).max(200).optional().describe('Such as customer, invoice, refund.'),
  data: z.record(z.string(), z.json()).default({}).describe('What the system is to be told.'),
});
type Input = z.output<typeof input>;

/** How long a run waits for a plane to come back, or for somebody who knows. */
const WAIT_MS = 24 * 3_600_000;

export function createActionTool(route: Router['route']): Tool<Input> {
  return {
    name: ACTION_TOOL,
    version: '1',
    description:
      'Has something done in an enterprise system (CRM, ERP, finance, ticketing …) through the integration planes. ' +
      'It may take long: people may have to agree, and a plane may be down.',
    input,
    effect: 'external',
    effectOf: ({ action_type }) => (isReading(action_type) ? 'read' : 'external'),
    timeoutMs: WAIT_MS,
    run: () => Promise.reject(new Error('an action is steps of its run')),
    async asSteps({ target_system: target, action_type: type, entity_id, entity_type, data }, steps) {
      const { scope, name, agentId, traceContext } = steps;
      const order = {
        // The same in every execution of the run.
        id: keyUuid(globalKey(scope.run.caller.tenantId, `${scope.run.id}/${name}`)),
        agentId,
        correlationId: scope.run.sessionId,
        target,
        type,
        entityId: entity_id,
        entityType: entity_type,
        data: data as JsonObject,
        metadata: {},
        onUnavailable: 'wait',
        waitMs: WAIT_MS,
      } as const;
      return told(await route(scope, name, order, traceContext));
    },
  };
}

/** What the agent is told of its action as it ended. */
function told(action: JsonObject): JsonObject {
  const members = [
    'action_id',
    'status',
    'target_system',
    'action_type',
    'routed_plane_id',
    'execution_path',
    'fallback_from',
    'result',
  ];
  return Object.fromEntries(members.map((member) => [member, action[member] ?? null]));
}
