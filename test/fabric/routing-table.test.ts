import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ActionType, actionTypes, classOf, targetSystems } from '../../src/fabric/action.ts';
import { type PlaneName, planeIdOf, planeKinds, planeNamed } from '../../src/fabric/plane.ts';
import { type Preset, parsePreset, presetNamed, presets, SCRAPPY } from '../../src/fabric/preset.ts';
import { type CellOverride, checkOverride, planesFor } from '../../src/fabric/routing-table.ts';

const letters: Readonly<Record<string, PlaneName>> = {
  gw: 'api_gateway',
  ip: 'ipaas',
  eb: 'event_bus',
  wh: 'data_warehouse',
  direct: 'direct',
};

/** The table of the reference, row by row: read, query, create/update/delete, execute, notify, sync, ingest. */
const rows: readonly (readonly [Preset, readonly string[]])[] = [
  ['preset_1_full_enterprise', ['gw, wh, ip', 'wh, gw', 'ip, gw', 'ip, gw, eb', 'eb, ip', 'eb, ip, wh', 'wh, eb']],
  ['preset_2_ipaas_first', ['ip, gw', 'ip, wh, gw', 'ip, gw', 'ip, gw', 'ip, eb', 'ip, eb', 'ip, wh, eb']],
  ['preset_3_api_gateway_first', ['gw, ip', 'gw, wh', 'gw, ip', 'gw, ip', 'gw, eb', 'gw, eb', 'gw, wh, eb']],
  ['preset_4_event_bus_first', ['gw, wh', 'wh, gw', 'eb, ip', 'eb, ip', 'eb', 'eb', 'eb, wh']],
  ['preset_5_data_warehouse_first', ['wh, gw', 'wh', 'wh, ip', 'ip', 'eb, ip', 'wh, eb', 'wh']],
  ['preset_6_scrappy', ['direct', 'direct', 'direct', 'direct', 'direct', 'direct', 'direct']],
];
const types: readonly ActionType[] = ['read', 'query', 'update', 'execute', 'notify', 'sync', 'ingest'];
const cells = rows.flatMap(([preset, row]) => row.map((order, at) => [preset, types[at] ?? 'read', order] as const));

const preset = fc.constantFrom(...presets);
const target = fc.constantFrom(...targetSystems);
const type = fc.constantFrom(...actionTypes);
const plane = fc.constantFrom<PlaneName>('ipaas', 'api_gateway', 'event_bus', 'data_warehouse', 'direct', 'custom_sap');

describe('the routing table', () => {
  it.each(cells)('orders %s %s as %s', (one, action, order) => {
    expect(planesFor(one, 'crm', action)).toEqual(order.split(', ').map((letter) => letters[letter]));
  });

  it('routes creates and deletes as updates', () => {
    fc.assert(
      fc.property(preset, target, fc.constantFrom<ActionType>('create', 'delete'), (one, system, action) => {
        expect(classOf(action)).toBe('change');
        expect(planesFor(one, system, action)).toEqual(planesFor(one, system, 'update'));
      }),
    );
  });

  it('lets the warehouse execute analytics only', () => {
    expect(planesFor('preset_5_data_warehouse_first', 'analytics', 'execute')).toEqual(['data_warehouse', 'ipaas']);
    expect(planesFor('preset_5_data_warehouse_first', 'finance', 'execute')).toEqual(['ipaas']);
  });

  it('never goes direct outside preset 6, whatever is overridden', () => {
    const override = fc.record<CellOverride>({ preset, target, type, planes: fc.array(plane, { maxLength: 4 }) });
    fc.assert(
      fc.property(preset, target, type, fc.array(override, { maxLength: 30 }), (one, system, action, overrides) => {
        fc.pre(one !== SCRAPPY);
        expect(planesFor(one, system, action, overrides)).not.toContain('direct');
      }),
    );
  });

  it("takes a tenant's own order for one cell and leaves the others", () => {
    const own: CellOverride = {
      preset: 'preset_2_ipaas_first',
      target: 'crm',
      type: 'update',
      planes: ['custom_sap', 'ipaas'],
    };
    expect(planesFor(own.preset, 'crm', 'update', [own])).toEqual(['custom_sap', 'ipaas']);
    expect(planesFor(own.preset, 'crm', 'create', [own])).toEqual(['ipaas', 'api_gateway']);
    expect(planesFor(own.preset, 'erp', 'update', [own])).toEqual(['ipaas', 'api_gateway']);
  });

  it.each([
    [[], 'unprocessable', undefined],
    [['ipaas', 'ipaas'], 'unprocessable', undefined],
    [['ipaas', 'direct'], 'forbidden', 'DIRECT_FORBIDDEN'],
  ] as const)('refuses the order %j for a cell', (planes, code, reason) => {
    const cell: CellOverride = { preset: 'preset_2_ipaas_first', target: 'crm', type: 'update', planes };
    expect(() => checkOverride(cell)).toThrow(expect.objectContaining({ code, reason }));
  });
});

describe('a preset', () => {
  it.each([
    ['preset_1_full_enterprise', 1],
    ['PRESET_7_GATEWAY', 3],
    ['preset_8_ipaas', 2],
    ['preset_9_platform', 4],
    ['preset_10_warehouse', 5],
    ['preset_11_warehouse', 5],
    ['scrappy', 6],
    ['api_gateway', 3],
    ['ipaas', 2],
    ['event bus', 4],
    ['data-warehouse', 5],
    ['6', 6],
    ['preset_9', 4],
    ['11', 5],
  ])('is understood by its other name %s', (name, number) => {
    expect(presetNamed(name)).toBe(presets[number - 1]);
  });

  it('that there is not is refused with what there is', () => {
    expect(() => parsePreset('preset_2_ipas_first')).toThrow(
      expect.objectContaining({
        code: 'unprocessable',
        reason: 'UNKNOWN_PRESET',
        message: expect.stringContaining('did you mean "preset_2_ipaas_first"?'),
      }),
    );
    for (const name of ['0', '12', '', 'constructor', '__proto__']) expect(presetNamed(name)).toBeUndefined();
  });
});

describe('a plane', () => {
  it('is found by its id, name or kind, and only in its tenant', () => {
    const names: readonly PlaneName[] = [...planeKinds.filter((kind) => kind !== 'custom'), 'custom_sap'];
    for (const name of names) {
      expect(planeNamed(planeIdOf(name, 'acme'), 'acme')).toBe(name);
      expect(planeNamed(name, 'acme')).toBe(name);
    }
    expect(planeNamed('gateway_acme', 'other')).toBeUndefined();
    expect(planeNamed('tube', 'acme')).toBeUndefined();
    expect(planeNamed('custom', 'acme')).toBeUndefined();
  });
});
