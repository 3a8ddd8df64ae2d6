/**
 * Which planes an action may take, best first: a cell for each preset and class of action (domain reference §5.7), and
 * what a tenant put in the place of single cells. Pure; how the planes are is asked elsewhere.
 *
 * Outside preset 6 `direct` is in no cell and gets into none.
 */
import { AosError } from '../core/errors.ts';
import { type ActionClass, type ActionPair, type ActionType, classOf, pairOf, type TargetSystem } from './action.ts';
import type { PlaneName } from './plane.ts';
import { allowsDirect, type Preset } from './preset.ts';

type Row = Readonly<Record<ActionClass, readonly PlaneName[]>>;

const gw = 'api_gateway';
const ip = 'ipaas';
const eb = 'event_bus';
const wh = 'data_warehouse';

export const routingTable: Readonly<Record<Preset, Row>> = {
  preset_1_full_enterprise: {
    read: [gw, wh, ip],
    query: [wh, gw],
    change: [ip, gw],
    execute: [ip, gw, eb],
    notify: [eb, ip],
    sync: [eb, ip, wh],
    ingest: [wh, eb],
  },
  preset_2_ipaas_first: {
    read: [ip, gw],
    query: [ip, wh, gw],
    change: [ip, gw],
    execute: [ip, gw],
    notify: [ip, eb],
    sync: [ip, eb],
    ingest: [ip, wh, eb],
  },
  preset_3_api_gateway_first: {
    read: [gw, ip],
    query: [gw, wh],
    change: [gw, ip],
    execute: [gw, ip],
    notify: [gw, eb],
    sync: [gw, eb],
    ingest: [gw, wh, eb],
  },
  preset_4_event_bus_first: {
    read: [gw, wh],
    query: [wh, gw],
    change: [eb, ip],
    execute: [eb, ip],
    notify: [eb],
    sync: [eb],
    ingest: [eb, wh],
  },
  preset_5_data_warehouse_first: {
    read: [wh, gw],
    query: [wh],
    change: [wh, ip],
    execute: [wh, ip],
    notify: [eb, ip],
    sync: [wh, eb],
    ingest: [wh],
  },
  preset_6_scrappy: {
    read: ['direct'],
    query: ['direct'],
    change: ['direct'],
    execute: ['direct'],
    notify: ['direct'],
    sync: ['direct'],
    ingest: ['direct'],
  },
};

/** A tenant's own order for one cell. */
export interface CellOverride {
  readonly preset: Preset;
  readonly target: TargetSystem;
  readonly type: ActionType;
  readonly planes: readonly PlaneName[];
}

/**
 * The planes of a cell in order.
 * @param overrides those of the tenant; for one cell the last one counts
 */
export function planesFor(
  preset: Preset,
  target: TargetSystem,
  type: ActionType,
  overrides: readonly CellOverride[] = [],
): readonly PlaneName[] {
  const own = overrides.findLast((cell) => cell.preset === preset && cell.target === target && cell.type === type);
  const planes = own?.planes ?? builtIn(preset, target, type);
  // Whatever is stored: a cell with `direct` outside preset 6 is as good as one without.
  return allowsDirect(preset) ? planes : planes.filter((plane) => plane !== 'direct');
}

/** @throws AosError unprocessable for an order that cannot be, forbidden (`DIRECT_FORBIDDEN`) for direct outside preset 6 */
export function checkOverride({ preset, target, type, planes }: CellOverride): void {
  const cell: ActionPair = pairOf(target, type);
  if (planes.length === 0)
    throw new AosError('unprocessable', `the cell ${cell} of ${preset} needs at least one plane`);
  if (new Set(planes).size < planes.length) {
    throw new AosError('unprocessable', `the cell ${cell} of ${preset} names a plane twice: ${planes.join(', ')}`);
  }
  if (!allowsDirect(preset) && planes.includes('direct')) throw directForbidden(preset);
}

export function directForbidden(preset: Preset): AosError {
  return new AosError(
    'forbidden',
    `direct calls of systems are forbidden under ${preset}: use one of its planes, or preset_6_scrappy in development`,
    { reason: 'DIRECT_FORBIDDEN' },
  );
}

function builtIn(preset: Preset, target: TargetSystem, type: ActionType): readonly PlaneName[] {
  const actionClass = classOf(type);
  const planes = routingTable[preset][actionClass];
  // The warehouse executes analytics and nothing else.
  if (preset === 'preset_5_data_warehouse_first' && actionClass === 'execute' && target !== 'analytics') {
    return planes.filter((plane) => plane !== wh);
  }
  return planes;
}
