/**
 * The fleet: every plane that is configured, opened once at the start, and given to each tenant that asks. Connectors
 * reach the addresses in their settings and no others.
 */
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import { createGuardedFetch, type GuardedFetch, type GuardedFetchOptions } from '../egress/guarded-fetch.ts';
import type { Log } from '../telemetry/log.ts';
import type { PlaneConnector, SecretReference } from './connector.ts';
import { type FabricConfig, FabricFileError, type PlaneConfig, planesOfTenant } from './fabric-file.ts';
import { originGuard } from './origin-guard.ts';
import type { PlaneName } from './plane.ts';
import { createStandingPlane, type StandingPlane } from './standing-plane.ts';
import { availableVendors, loadVendor } from './vendor-roster.ts';

export interface FleetParts {
  readonly config: FabricConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly secret: (reference: SecretReference) => string;
  /** How names are resolved; the system's way when left out. */
  readonly resolve?: GuardedFetchOptions['resolve'];
}

export interface Fleet {
  /** The planes of a tenant that are configured. */
  of(tenantId: string): readonly StandingPlane[];
  find(tenantId: string, name: PlaneName): StandingPlane | undefined;
  /** All that any tenant has asked for so far. */
  standing(): readonly StandingPlane[];
  close(): Promise<void>;
}

/** A tenant nobody knows gets no memory of ours beyond so many. */
const MAX_TENANTS = 10_000;

/**
 * Opens the connectors of all planes; nothing is called yet.
 * @throws FabricFileError naming every fault in the settings of vendors
 */
export async function createFleet({ config, clock, log, secret, resolve }: FleetParts): Promise<Fleet> {
  const faults: string[] = [];
  const connectors = new Map<PlaneConfig, PlaneConnector>();
  const lists = [
    { where: 'planes', planes: config.planes },
    ...Object.entries(config.tenants).map(([tenant, { planes }]) => ({ where: `tenants.${tenant}.planes`, planes })),
  ];
  for (const { where, planes } of lists) {
    for (const plane of planes) {
      const connector = await open(plane, `${where}.${plane.name}`, faults);
      if (connector !== undefined) connectors.set(plane, connector);
    }
  }
  if (faults.length > 0) throw new FabricFileError(faults);

  async function open(plane: PlaneConfig, where: string, told: string[]): Promise<PlaneConnector | undefined> {
    const kind = await loadVendor(plane.vendor);
    if (kind === undefined) {
      told.push(
        `${where}.vendor: there is no connector for ${plane.vendor} yet: expected ${availableVendors.join(', ')}`,
      );
      return undefined;
    }
    const parsed = kind.settings.safeParse(plane.settings);
    if (!parsed.success) {
      for (const { path, message } of parsed.error.issues) told.push(`${[where, ...path].join('.')}: ${message}`);
      return undefined;
    }
    const { origins, create } = kind.open(plane.settings);
    return create({ clock, secret, fetch: fetchTo(plane, origins) }, plane.kind);
  }

  function fetchTo(plane: PlaneConfig, origins: readonly string[]): GuardedFetch {
    const ports = origins.map((origin) => Number(URL.parse(origin.replace('*', 'any'))?.port) || 443);
    const guarded = createGuardedFetch({
      clock,
      ports,
      allow: plane.allowAddresses,
      ...(resolve !== undefined && { resolve }),
    });
    return originGuard(origins, guarded);
  }

  const tenants = new Map<string, readonly StandingPlane[]>();
  function of(tenantId: string): readonly StandingPlane[] {
    const known = tenants.get(tenantId);
    if (known !== undefined) return known;
    const planes = planesOfTenant(config, tenantId).flatMap((plane) => {
      const connector = connectors.get(plane);
      return connector === undefined ? [] : [createStandingPlane(tenantId, plane, connector, clock)];
    });
    if (tenants.size >= MAX_TENANTS) tenants.delete(tenants.keys().next().value ?? '');
    tenants.set(tenantId, planes);
    return planes;
  }

  return {
    of,
    find: (tenantId, name) => of(tenantId).find((plane) => plane.name === name),
    standing: () => [...tenants.values()].flat(),
    async close() {
      for (const [{ name }, connector] of connectors) {
        await connector.close().catch((thrown: unknown) => {
          log.warn('a connector did not close', { plane: name, reason: asError(thrown).message });
        });
      }
    },
  };
}
