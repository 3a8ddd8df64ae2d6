/** The fabric API: contexts, planes, routes and actions. */
import { z } from 'zod';
import type { JsonObject } from '../core/json.ts';
import { settledOutcomes } from '../engine/settlement.ts';
import { actionTypes, targetSystems } from '../fabric/action.ts';
import { actionStatuses } from '../fabric/action-record.ts';
import { presets } from '../fabric/preset.ts';
import { actionView, cellView, contextView, drillView, FABRIC_PATH, planeView } from './fabric-view.ts';
import { agentId, cursor, flag, freeForm, nextCursor, pageSize, protocolId, reason, time } from './field.ts';
import { type RestRoute, specify } from './operation.ts';
import { taskSubmission } from './task-spec.ts';

const rest = (method: RestRoute['method'], path: string, status = 200): RestRoute => ({
  method,
  path: `${FABRIC_PATH}${path}`,
  status,
  family: 'detail',
});

const ACTION_ID = '7a0e4d0e-6a53-4c0c-9a3b-1f4f3f0f7d11';
export const presetText = z
  .string()
  .max(100)
  .meta({
    description: `One of ${presets.join(', ')}; the names and numbers of the other seed systems are understood`,
  });
const planeId = z.string().min(1).max(400).meta({ description: 'Its id (`ipaas_acme`) or its name (`ipaas`)' });

const contextExample = {
  primary_plane_id: 'ipaas_acme',
  Primary_Plane_ID: 'ipaas_acme',
  fabric_preset: 'preset_2_ipaas_first',
  is_direct_allowed: false,
  tenant_id: 'acme',
  plane_name: 'iPaaS Plane',
  preset_name: 'iPaaS first',
  planes_required: ['ipaas'],
  changed_at: '2026-01-31T17:02:10.000Z',
  changed_by: 'user_8',
} satisfies JsonObject;

const drillExample = {
  drill_id: 'drill-2f1c9c0e-5a57-4b8e-9a55-3f2f6f8d9b10',
  plane_id: 'ipaas_acme',
  started_at: '2026-02-01T10:00:00.000Z',
  until: '2026-02-01T10:15:00.000Z',
  started_by: 'user_8',
  reason: 'quarterly drill',
};

const planeExample = {
  plane_id: 'ipaas_acme',
  plane: 'ipaas',
  name: 'iPaaS Plane',
  purpose: 'Multi-step workflows',
  provider: 'workato',
  supported_systems: ['workato', 'tray', 'celigo'],
  is_active: true,
  is_primary: true,
  configured: true,
  health_status: 'healthy',
  health_detail: null,
  last_health_check: '2026-02-01T09:59:40.000Z',
  circuit: 'closed',
  self_healing_enabled: true,
  health_check_interval_seconds: 60,
  routes: 6,
  dedupes: true,
  stats: { actions: 310, failed: 2, p95_ms: 180 },
  drill: null,
} satisfies JsonObject;

const cellExample = {
  fabric_preset: 'preset_2_ipaas_first',
  target_system: 'crm',
  action_type: 'update',
  planes: ['ipaas', 'api_gateway'],
  overridden: false,
  capable: ['ipaas'],
} satisfies JsonObject;

const actionExample = {
  id: ACTION_ID,
  action_id: ACTION_ID,
  status: 'completed',
  status_message: null,
  success: true,
  target_system: 'crm',
  action_type: 'update',
  payload: {
    target_system: 'crm',
    action_type: 'update',
    entity_id: 'cust_1042',
    entity_type: 'customer',
    data: { tier: 'gold' },
    metadata: {},
  },
  fabric_preset: 'preset_2_ipaas_first',
  primary_plane_id: 'ipaas_acme',
  Primary_Plane_ID: 'ipaas_acme',
  routed_plane_id: 'ipaas_acme',
  execution_path: 'ipaas_recipe',
  fallback_from: [],
  attempts: 1,
  agent_id: 'cmo',
  tenant_id: 'acme',
  correlation_id: '0f7c2d94-1f0f-4ad1-8a53-8c3f8f1c2d77',
  run_id: `${ACTION_ID}.1`,
  task_id: ACTION_ID,
  waiting_for: null,
  simulation: false,
  created_at: '2026-02-01T10:00:00.033Z',
  routed_at: '2026-02-01T10:00:00.035Z',
  completed_at: '2026-02-01T10:00:00.210Z',
  duration_ms: 177,
  result: {
    routed_via: 'ipaas',
    provider: 'workato',
    outcome: 'completed',
    external_id: 'job-77',
    deduplicated: false,
    vendor_request_id: null,
    response: { ok: true },
  },
  error: null,
} satisfies JsonObject;

export const getFabricContext = specify({
  name: 'fabric.context',
  summary: 'Which planes the tenant prefers',
  input: z.object({}),
  output: contextView,
  rest: rest('GET', '/context'),
  example: { output: contextExample },
});

export const setPreset = specify({
  name: 'fabric.preset',
  governs: { kind: 'admin', type: 'preset_change' },
  summary: 'Choose a preset',
  access: 'admin',
  description:
    'Counts for actions that run from now on; those on their way stay as they are. Planes that the preset needs and that ' +
    'are not configured are named in a 409, unless `force`, in the body or as `?force=true`.',
  input: z.object({
    preset: presetText.optional(),
    fabric_preset: presetText.optional().meta({ description: 'The same as preset' }),
    reason,
    force: flag,
  }),
  output: z.object({
    previous_preset: z.enum(presets),
    fabric_preset: z.enum(presets),
    primary_plane_id: z.string(),
    is_direct_allowed: z.boolean(),
    changed_at: time.nullable(),
    audit_seq: z.int().nullable().meta({ description: 'Where the audit log has it' }),
  }),
  rest: { ...rest('POST', '/preset'), query: ['force'] },
  errors: ['unprocessable', 'conflict', 'forbidden'],
  example: {
    input: { preset: 'preset_4_event_bus_first', reason: 'load test' },
    output: {
      previous_preset: 'preset_2_ipaas_first',
      fabric_preset: 'preset_4_event_bus_first',
      primary_plane_id: 'eventbus_acme',
      is_direct_allowed: false,
      changed_at: '2026-02-01T10:01:00.000Z',
      audit_seq: 4212,
    },
  },
});

export const listPlanes = specify({
  name: 'fabric.planes',
  summary: 'The planes of the tenant, and how they are',
  input: z.object({}),
  output: z.object({ items: z.array(planeView), total: z.int(), next_cursor: nextCursor }),
  rest: rest('GET', '/planes'),
  example: { output: { items: [planeExample], total: 1, next_cursor: null } },
});

export const checkPlane = specify({
  name: 'fabric.planes.check',
  summary: 'Ask a plane now how it is',
  input: z.object({ plane_id: planeId }),
  output: planeView,
  rest: rest('POST', '/planes/{plane_id}/check'),
  errors: ['not_found'],
  example: { input: {}, output: planeExample },
});

export const drillPlane = specify({
  name: 'fabric.planes.drill',
  governs: { kind: 'admin', type: 'plane_drill' },
  summary: 'Take a plane down for some minutes',
  access: 'admin',
  description: 'Actions fall back, or wait, as if it were away. A drill of the plane that is on ends with the new one.',
  input: z.object({ plane_id: planeId, minutes: z.number().min(0.01).max(1440).default(15), reason }),
  output: drillView,
  rest: rest('POST', '/planes/{plane_id}/drill', 201),
  errors: ['not_found'],
  example: { input: { minutes: 15, reason: 'quarterly drill' }, output: drillExample },
});

export const endDrill = specify({
  name: 'fabric.planes.end_drill',
  governs: { kind: 'admin', type: 'plane_drill_end' },
  summary: 'Bring a plane back before its drill is over',
  access: 'admin',
  input: z.object({ plane_id: planeId }),
  output: planeView,
  rest: rest('DELETE', '/planes/{plane_id}/drill'),
  errors: ['not_found'],
  example: { output: planeExample },
});

export const listRoutes = specify({
  name: 'fabric.routes',
  summary: 'The routing table of the tenant',
  input: z.object({
    preset: presetText.optional().meta({ description: "The tenant's own when left out" }),
    target_system: z.enum(targetSystems).optional(),
    action_type: z.enum(actionTypes).optional(),
  }),
  output: z.object({ items: z.array(cellView), total: z.int(), next_cursor: nextCursor }),
  rest: rest('GET', '/routes'),
  errors: ['unprocessable'],
  example: { output: { items: [cellExample], total: 1, next_cursor: null } },
});

export const setRoute = specify({
  name: 'fabric.routes.set',
  governs: { kind: 'admin', type: 'route_change' },
  summary: 'Order the planes of one cell otherwise',
  access: 'admin',
  description: 'Of a preset, a target and an action; null for `planes` brings the built-in order back.',
  input: z.object({
    preset: presetText,
    target_system: z.string().max(100),
    action_type: z.string().max(100),
    planes: z.array(planeId).max(20).nullable(),
  }),
  output: cellView,
  rest: rest('PUT', '/routes'),
  errors: ['unprocessable', 'forbidden'],
  example: {
    input: { preset: 'preset_2_ipaas_first', target_system: 'crm', action_type: 'update', planes: ['api_gateway'] },
    output: { ...cellExample, planes: ['api_gateway'], overridden: true, capable: ['api_gateway'] },
  },
});

export const submitAction = specify({
  name: 'fabric.actions.submit',
  summary: 'Have an action done on an enterprise system',
  description:
    'Becomes a task of the type fabric_action; its id is the id of the action and its idempotency key on the wire. ' +
    '`on_unavailable: wait` lets its run wait for a plane instead of failing and being tried again.',
  input: z.object({
    action_id: protocolId.max(200).nullish().meta({
      description: "The caller's name for it, which makes repeating the call harmless; else a new UUID",
    }),
    target_system: z.string().max(100),
    action_type: z.string().max(100),
    entity_id: z.union([z.string().max(500), z.number()]).nullish(),
    entity_type: z.string().max(200).nullish(),
    data: freeForm.nullish(),
    metadata: freeForm.nullish(),
    agent_id: agentId.nullish(),
    correlation_id: z.string().max(256).nullish(),
    plane: planeId.nullish().meta({ description: 'Only by this plane of its cell' }),
    on_unavailable: z.enum(['retry', 'wait']).default('retry'),
    wait_seconds: z.number().min(1).max(2_592_000).nullish(),
    priority: taskSubmission.shape.priority,
    timeout_seconds: taskSubmission.shape.timeout_seconds,
    max_retries: taskSubmission.shape.max_retries,
    simulation: z.boolean().nullish(),
  }),
  output: actionView,
  rest: { ...rest('POST', '/actions', 202), location: (output) => `${FABRIC_PATH}/actions/${String(output['id'])}` },
  errors: ['unprocessable', 'conflict', 'overloaded'],
  example: {
    input: { target_system: 'crm', action_type: 'update', entity_id: 'cust_1042', data: { tier: 'gold' } },
    output: {
      ...actionExample,
      status: 'pending',
      success: false,
      routed_plane_id: null,
      execution_path: null,
      attempts: 0,
      routed_at: null,
      completed_at: null,
      duration_ms: null,
      result: null,
    },
  },
});

export const listActions = specify({
  name: 'fabric.actions.list',
  summary: 'Actions on enterprise systems, newest first',
  input: z.object({
    status: z.enum(actionStatuses).optional(),
    target_system: z.enum(targetSystems).optional(),
    action_type: z.enum(actionTypes).optional(),
    limit: pageSize,
    cursor,
  }),
  output: z.object({ items: z.array(actionView), next_cursor: nextCursor }),
  rest: rest('GET', '/actions'),
  example: { output: { items: [actionExample], next_cursor: null } },
});

const oneAction = z.object({ action_id: protocolId });

export const getAction = specify({
  name: 'fabric.actions.get',
  summary: 'One action on an enterprise system',
  input: oneAction,
  output: actionView,
  rest: rest('GET', '/actions/{action_id}'),
  errors: ['not_found'],
  example: { output: actionExample },
});

export const settleAction = specify({
  name: 'fabric.actions.settle',
  governs: { kind: 'admin', type: 'action_settle' },
  summary: 'Say what became of an action whose outcome is unknown',
  access: 'approve',
  description:
    '`completed`: it was done · `not_done`: it was not, and is sent again · `failed`: it was not, and is not sent again. ' +
    'An action whose outcome is known is 409.',
  input: oneAction.extend({
    outcome: z.enum(settledOutcomes),
    note: reason,
    external_id: z.string().max(500).nullish().meta({ description: 'What the target calls it' }),
  }),
  output: actionView,
  screens: ['note'],
  rest: rest('POST', '/actions/{action_id}/settle', 202),
  errors: ['not_found', 'conflict'],
  example: { input: { outcome: 'completed', note: 'seen in the CRM' }, output: actionExample },
});

export const fabricSpecs = [
  getFabricContext,
  setPreset,
  listPlanes,
  checkPlane,
  drillPlane,
  endDrill,
  listRoutes,
  setRoute,
  submitAction,
  listActions,
  getAction,
  settleAction,
];
