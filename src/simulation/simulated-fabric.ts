/**
 * The planes of a simulation: those of the operator's file with simulators in the place of their vendors (rates, time
 * limits, circuits and bindings stay as they are), or without a file all planes, each carrying every action.
 */
import { type FabricConfig, type PlaneConfig, readFabricFile } from '../fabric/fabric-file.ts';
import type { PlaneScenario, Scenario } from './scenario.ts';

const open = (binding: object) => ({ vendor: 'simulated', bindings: { '*:*': binding } });

/** What there is without a file: every preset has its planes. */
const everyPlane = readFabricFile(
  JSON.stringify({
    preset: 'preset_1_full_enterprise',
    planes: {
      ipaas: open({ recipe: 'simulated' }),
      api_gateway: open({ path: '/simulated/{id}' }),
      event_bus: open({ topic: 'simulated' }),
      data_warehouse: open({ table: 'simulated', operation: 'UPSERT' }),
      direct: open({ path: '/simulated/{target}/{id}' }),
    },
  }),
);

/**
 * @param file the operator's; undefined when there is none
 * @throws Error naming planes of the scenario that are not there
 */
export function simulatedFabric(
  file: FabricConfig | undefined,
  { planes: scenarios }: Pick<Scenario, 'planes'>,
  seed: string,
): FabricConfig {
  const given = file ?? everyPlane;
  const simulate = (plane: PlaneConfig): PlaneConfig => ({
    ...plane,
    vendor: 'simulated',
    settings: { ...settingsOf(scenarios, plane), seed: `${seed}/${plane.name}` },
  });
  const tenants = Object.entries(given.tenants).map(([tenant, own]) => [
    tenant,
    { ...own, planes: own.planes.map(simulate) },
  ]);
  const names = [...given.planes, ...Object.values(given.tenants).flatMap(({ planes }) => planes)].map(
    ({ name }) => name,
  );
  const unknown = Object.keys(scenarios).filter((name) => name !== '*' && !names.some((known) => known === name));
  if (unknown.length > 0) {
    throw new Error(
      `the scenario names planes that are not there: ${unknown.join(', ')} (there are: ${names.join(', ')})`,
    );
  }
  return { ...given, planes: given.planes.map(simulate), tenants: Object.fromEntries(tenants) };
}

function settingsOf(scenarios: Scenario['planes'], { name, vendor, settings }: PlaneConfig): PlaneScenario {
  const own = Object.hasOwn(scenarios, name) ? scenarios[name] : undefined;
  // What was simulated before behaves as its file says, unless the scenario says otherwise.
  return own ?? scenarios['*'] ?? (vendor === 'simulated' ? settings : {});
}
