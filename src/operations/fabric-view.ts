/** The fabric on the wire: contexts, planes, cells and actions, with the members of the seed system. */
import { z } from 'zod';
import { actionTypes, targetSystems } from '../fabric/action.ts';
import { type ActionRecord, actionStatuses, showRecord } from '../fabric/action-record.ts';
import type { FabricContext } from '../fabric/fabric-context.ts';
import { healthStatuses, planeKinds } from '../fabric/plane.ts';
import type { Drill } from '../fabric/plane-watch.ts';
import { presetCards, presets } from '../fabric/preset.ts';
import { freeForm, time } from './field.ts';

export const FABRIC_PATH = '/api/v1/fabric';

export const contextView = z
  .object({
    primary_plane_id: z.string(),
    Primary_Plane_ID: z.string().meta({ description: 'The same, as the audit writes it' }),
    fabric_preset: z.enum(presets),
    is_direct_allowed: z.boolean(),
    tenant_id: z.string(),
    plane_name: z.string(),
    preset_name: z.string(),
    planes_required: z.array(z.string()),
    changed_at: time.nullable(),
    changed_by: z.string().nullable(),
  })
  .meta({ id: 'FabricContext', description: 'Which planes a tenant prefers' });

export const drillView = z
  .object({
    drill_id: z.string(),
    plane_id: z.string(),
    started_at: time,
    until: time,
    started_by: z.string(),
    reason: z.string().nullable(),
  })
  .meta({ id: 'PlaneDrill', description: 'A plane taken down on purpose' });

export const planeView = z
  .object({
    plane_id: z.string(),
    plane: z.enum(planeKinds),
    name: z.string(),
    purpose: z.string(),
    provider: z.string().nullable(),
    supported_systems: z.array(z.string()).meta({ description: 'Who can stand behind it' }),
    is_active: z.boolean().meta({ description: 'Whether the preset of the tenant uses it' }),
    is_primary: z.boolean(),
    configured: z.boolean(),
    health_status: z.enum(healthStatuses),
    health_detail: z.string().nullable(),
    last_health_check: time.nullable(),
    circuit: z.enum(['closed', 'open', 'half_open']),
    self_healing_enabled: z.boolean(),
    health_check_interval_seconds: z.number(),
    routes: z.int().meta({ description: 'Pairs of target and action that it carries' }),
    dedupes: z.boolean().nullable().meta({ description: 'Whether its target does an idempotency key once' }),
    stats: z.object({ actions: z.int(), failed: z.int(), p95_ms: z.number().nullable() }),
    drill: drillView.nullable(),
  })
  .meta({ id: 'FabricPlane' });

export const cellView = z
  .object({
    fabric_preset: z.enum(presets),
    target_system: z.enum(targetSystems),
    action_type: z.enum(actionTypes),
    planes: z.array(z.string()).meta({ description: 'Best first' }),
    overridden: z.boolean().meta({ description: "Whether it is the tenant's own order" }),
    capable: z.array(z.string()).meta({ description: 'Those of them that are configured and carry it' }),
  })
  .meta({ id: 'FabricRoute', description: 'A cell of the routing table' });

export const actionView = z
  .object({
    id: z.string(),
    action_id: z.string(),
    status: z.enum(actionStatuses).meta({
      description:
        'accepted: a plane took it and will do it · completed: it is done · unknown: it may be done, somebody is to settle it',
    }),
    status_message: z.string().nullable(),
    success: z.boolean(),
    target_system: z.enum(targetSystems),
    action_type: z.enum(actionTypes),
    payload: freeForm,
    fabric_preset: z.enum(presets).meta({ description: 'That it was routed by' }),
    primary_plane_id: z.string().meta({ description: 'As it was when the action was submitted' }),
    Primary_Plane_ID: z.string(),
    routed_plane_id: z.string().nullable(),
    execution_path: z.string().nullable(),
    fallback_from: z.array(z.string()),
    attempts: z.int(),
    agent_id: z.string().nullable(),
    tenant_id: z.string(),
    correlation_id: z.string(),
    run_id: z.string(),
    task_id: z.string().nullable(),
    waiting_for: z.string().nullable(),
    simulation: z.boolean(),
    created_at: time,
    routed_at: time.nullable(),
    completed_at: time.nullable(),
    duration_ms: z.number().nullable(),
    result: freeForm.nullable(),
    error: z.object({ code: z.string(), message: z.string(), fault: z.string().optional() }).nullable(),
  })
  .meta({ id: 'FabricAction', description: 'An action on an enterprise system' });

export function viewContext(context: FabricContext): z.input<typeof contextView> {
  const { preset } = context;
  return {
    primary_plane_id: context.primaryPlaneId,
    Primary_Plane_ID: context.primaryPlaneId,
    fabric_preset: preset,
    is_direct_allowed: context.isDirectAllowed,
    tenant_id: context.tenantId,
    plane_name: context.planeName,
    preset_name: presetCards[preset].title,
    planes_required: [...presetCards[preset].required],
    changed_at: context.changedAt ?? null,
    changed_by: context.changedBy ?? null,
  };
}

export function viewAction(record: ActionRecord): z.input<typeof actionView> {
  // The record shows itself with exactly these members.
  return showRecord(record) as z.input<typeof actionView>;
}

export function viewDrill(drill: Drill, planeId: string): z.input<typeof drillView> {
  return {
    drill_id: drill.id,
    plane_id: planeId,
    started_at: drill.startedAt,
    until: drill.until,
    started_by: drill.startedBy,
    reason: drill.reason ?? null,
  };
}
