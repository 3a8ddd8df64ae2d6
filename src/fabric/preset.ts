/**
 * Presets: which plane a tenant's work prefers. The six of the blueprint are what leaves this process; the numbers and
 * bare names of the other seed systems are understood on the way in (domain reference §5.2).
 */
import { closest } from '../core/closest.ts';
import { AosError } from '../core/errors.ts';
import type { PlaneKind } from './plane.ts';

export const presets = [
  'preset_1_full_enterprise',
  'preset_2_ipaas_first',
  'preset_3_api_gateway_first',
  'preset_4_event_bus_first',
  'preset_5_data_warehouse_first',
  'preset_6_scrappy',
] as const;
export type Preset = (typeof presets)[number];

export const SCRAPPY: Preset = 'preset_6_scrappy';

export interface PresetCard {
  readonly title: string;
  /** The plane whose id is the tenant's primary plane id. */
  readonly primary: Exclude<PlaneKind, 'custom'>;
  /** Without these it cannot be chosen, except by force. */
  readonly required: readonly Exclude<PlaneKind, 'custom'>[];
}

export const presetCards: Readonly<Record<Preset, PresetCard>> = {
  preset_1_full_enterprise: {
    title: 'Full enterprise',
    primary: 'ipaas',
    required: ['ipaas', 'api_gateway', 'event_bus', 'data_warehouse'],
  },
  preset_2_ipaas_first: { title: 'iPaaS first', primary: 'ipaas', required: ['ipaas'] },
  preset_3_api_gateway_first: { title: 'API gateway first', primary: 'api_gateway', required: ['api_gateway'] },
  preset_4_event_bus_first: { title: 'Event bus first', primary: 'event_bus', required: ['event_bus'] },
  preset_5_data_warehouse_first: {
    title: 'Data warehouse first',
    primary: 'data_warehouse',
    required: ['data_warehouse'],
  },
  preset_6_scrappy: { title: 'Scrappy', primary: 'direct', required: ['direct'] },
};

const aliases: Readonly<Record<string, Preset>> = {
  full_enterprise: 'preset_1_full_enterprise',
  enterprise: 'preset_1_full_enterprise',
  ipaas_first: 'preset_2_ipaas_first',
  ipaas: 'preset_2_ipaas_first',
  preset_8_ipaas: 'preset_2_ipaas_first',
  api_gateway_first: 'preset_3_api_gateway_first',
  api_gateway: 'preset_3_api_gateway_first',
  gateway: 'preset_3_api_gateway_first',
  preset_7_gateway: 'preset_3_api_gateway_first',
  event_bus_first: 'preset_4_event_bus_first',
  event_bus: 'preset_4_event_bus_first',
  platform: 'preset_4_event_bus_first',
  preset_9_platform: 'preset_4_event_bus_first',
  data_warehouse_first: 'preset_5_data_warehouse_first',
  data_warehouse: 'preset_5_data_warehouse_first',
  warehouse: 'preset_5_data_warehouse_first',
  preset_10_warehouse: 'preset_5_data_warehouse_first',
  preset_11_warehouse: 'preset_5_data_warehouse_first',
  scrappy: 'preset_6_scrappy',
};

/** The seeds' numbers; `preset_7` and a bare 7 are as good as the whole name. */
const numbered: Readonly<Record<string, Preset>> = {
  1: 'preset_1_full_enterprise',
  2: 'preset_2_ipaas_first',
  3: 'preset_3_api_gateway_first',
  4: 'preset_4_event_bus_first',
  5: 'preset_5_data_warehouse_first',
  6: 'preset_6_scrappy',
  7: 'preset_3_api_gateway_first',
  8: 'preset_2_ipaas_first',
  9: 'preset_4_event_bus_first',
  10: 'preset_5_data_warehouse_first',
  11: 'preset_5_data_warehouse_first',
};

/** Only in preset 6 does anything go to a system without a plane between. */
export function allowsDirect(preset: Preset): boolean {
  return preset === SCRAPPY;
}

/** The preset of that name, alias or number, in any case; undefined when there is none. */
export function presetNamed(text: string): Preset | undefined {
  const name = text
    .trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, '_');
  const canonical = presets.find((preset) => preset === name);
  if (canonical !== undefined) return canonical;
  const number = /^(?:preset_?)?(\d{1,2})$/.exec(name)?.[1] ?? '';
  if (Object.hasOwn(numbered, number)) return numbered[number];
  return Object.hasOwn(aliases, name) ? aliases[name] : undefined;
}

/** @throws AosError unprocessable (reason `UNKNOWN_PRESET`) for a text that names none */
export function parsePreset(text: string): Preset {
  const preset = presetNamed(text);
  if (preset !== undefined) return preset;
  throw new AosError(
    'unprocessable',
    `"${text.slice(0, 100)}" is no preset${closest(text, presets, ', did you mean "%s"?')} (known: ${presets.join(', ')})`,
    { reason: 'UNKNOWN_PRESET' },
  );
}
