/**
 * The way of an action: the planes it may take at this moment, best first, and which of them would take it. The router
 * goes by it, and whoever has to allow an action is shown the same.
 */
import type { ActionType, TargetSystem } from './action.ts';
import { pairOf } from './action.ts';
import type { FabricContexts } from './fabric-context.ts';
import type { Fleet } from './fleet.ts';
import type { PlaneName } from './plane.ts';
import type { PlaneState, PlaneWatch } from './plane-watch.ts';
import { allowsDirect, type Preset } from './preset.ts';
import { directForbidden, planesFor } from './routing-table.ts';
import type { StandingPlane } from './standing-plane.ts';

export interface WayParts {
  readonly contexts: Pick<FabricContexts, 'of' | 'overrides'>;
  readonly fleet: Pick<Fleet, 'find'>;
  readonly watch: Pick<PlaneWatch, 'of'>;
}

/** What is asked of the planes. */
export interface Wayfarer {
  readonly target: TargetSystem;
  readonly type: ActionType;
  /** The one plane it is to take; any of its cell when left out. */
  readonly plane?: PlaneName | undefined;
}

/** A plane on the way, as it is now. */
export interface PlaneOnTheWay {
  readonly plane: StandingPlane;
  /** Undefined while nobody has looked. */
  readonly state: PlaneState | undefined;
  /** Whether an action would be given to it. */
  readonly isUp: boolean;
}

export type Way =
  | { readonly kind: 'planes'; readonly planes: readonly PlaneOnTheWay[] }
  /** Whatever becomes of the planes, there is none for it. */
  | { readonly kind: 'none'; readonly code: 'NO_ROUTE' | 'DIRECT_FORBIDDEN'; readonly message: string };

/** The ways of a tenant as they were at one moment. */
export interface Ways {
  readonly preset: Preset;
  of(wayfarer: Wayfarer): Way;
}

export async function readWays({ contexts, fleet, watch }: WayParts, tenantId: string): Promise<Ways> {
  const [{ preset, isDirectAllowed }, overrides, states] = await Promise.all([
    contexts.of(tenantId),
    contexts.overrides(tenantId),
    watch.of(tenantId),
  ]);

  function onTheWay(plane: StandingPlane): PlaneOnTheWay {
    const state = states.get(plane.name);
    const circuit = plane.breaker.circuit();
    // What a look from outside saw does not count against a circuit that is about to probe.
    const isUp =
      state?.drill === undefined && circuit !== 'open' && (state?.status !== 'down' || circuit === 'half_open');
    return { plane, state, isUp };
  }

  return {
    preset,
    of({ target, type, plane: named }) {
      if ((named === 'direct' || allowsDirect(preset)) && !isDirectAllowed) {
        return { kind: 'none', code: 'DIRECT_FORBIDDEN', message: directForbidden(preset).message };
      }
      const cell = planesFor(preset, target, type, overrides);
      const wanted = named === undefined ? cell : cell.filter((plane) => plane === named);
      const able = wanted.flatMap((name) => {
        const plane = fleet.find(tenantId, name);
        return plane?.bindingFor(target, type) === undefined ? [] : [plane];
      });
      if (able.length > 0) return { kind: 'planes', planes: able.map(onTheWay) };
      const tried =
        wanted.length === 0 ? `${named} is not one of ${cell.join(', ')}` : `of ${wanted.join(', ')} none carries it`;
      const message = `there is no route for ${pairOf(target, type)} under ${preset}: ${tried}`;
      return { kind: 'none', code: 'NO_ROUTE', message };
    },
  };
}
