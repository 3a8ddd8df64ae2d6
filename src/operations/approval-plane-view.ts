/** Where an action that is to be allowed would go, on the wire. */
import { z } from 'zod';
import { actionTypes, targetSystems } from '../fabric/action.ts';
import { healthStatuses, planeKinds } from '../fabric/plane.ts';
import { presets } from '../fabric/preset.ts';
import { drillView } from './fabric-view.ts';
import { time } from './field.ts';

export const approvalPlaneView = z
  .object({
    fabric_preset: z.enum(presets),
    target_system: z.enum(targetSystems),
    action_type: z.enum(actionTypes),
    outlook: z.enum(['goes', 'waits', 'fails']).meta({
      description:
        'goes: plane_id would take it · waits: none is left, its run would wait for one · fails: none is left, or there is no way',
    }),
    plane_id: z.string().nullable().meta({ description: 'The plane that would take it' }),
    message: z.string().meta({ description: 'The same as a sentence for people' }),
    planes: z
      .array(
        z.object({
          plane_id: z.string(),
          plane: z.enum(planeKinds),
          available: z.boolean().meta({ description: 'Whether an action would be given to it' }),
          health_status: z.enum(healthStatuses),
          health_detail: z.string().nullable(),
          last_health_check: time.nullable(),
          circuit: z.enum(['closed', 'open', 'half_open']),
          drill: drillView.nullable(),
        }),
      )
      .meta({
        description: 'Those it may take, best first: those before plane_id are passed over, those after fall back',
      }),
  })
  .meta({ id: 'ApprovalPlane', description: 'Where an action would go if it were allowed now' });

export type ApprovalPlane = z.input<typeof approvalPlaneView>;
