/**
 * A plane: one way from here to enterprise systems. Agents never see an address, only planes; which plane carries an
 * action is decided by the routing table and by how the planes are.
 */

export const planeKinds = ['ipaas', 'api_gateway', 'event_bus', 'data_warehouse', 'direct', 'custom'] as const;
export type PlaneKind = (typeof planeKinds)[number];

/**
 * Which plane of a tenant: its kind, and for custom planes, of which there may be several, a name of the operator's.
 * This is what routing cells hold; ids that leave the process carry the tenant too.
 */
export type PlaneName = Exclude<PlaneKind, 'custom'> | `custom_${string}`;

/** Who can stand behind a plane. */
export const vendors = [
  'workato',
  'tray',
  'celigo',
  'kong',
  'apigee',
  'kafka',
  'eventbridge',
  'redis_streams',
  'snowflake',
  'bigquery',
  'http',
  'simulated',
] as const;
export type Vendor = (typeof vendors)[number];

export const vendorsOf: Readonly<Record<PlaneKind, readonly Vendor[]>> = {
  ipaas: ['workato', 'tray', 'celigo', 'simulated'],
  api_gateway: ['kong', 'apigee', 'simulated'],
  event_bus: ['kafka', 'eventbridge', 'redis_streams', 'simulated'],
  data_warehouse: ['snowflake', 'bigquery', 'simulated'],
  direct: ['http', 'simulated'],
  custom: ['http', 'simulated'],
};

/** How a plane is, as dashboards show it. `unknown`: nobody has looked yet. */
export const healthStatuses = ['healthy', 'degraded', 'down', 'unconfigured', 'unknown'] as const;
export type HealthStatus = (typeof healthStatuses)[number];

/** What a health check of a connector found. */
export interface PlaneHealth {
  readonly status: 'healthy' | 'degraded' | 'down';
  /** A short word for people: `HTTP 503`, `ECONNREFUSED`; never an address or a secret. */
  readonly detail?: string;
}

/** What the planes are called on screens (domain reference §5.1, §9.15). */
export const planeTitles: Readonly<Record<PlaneKind, { readonly name: string; readonly purpose: string }>> = {
  ipaas: { name: 'iPaaS Plane', purpose: 'Multi-step workflows' },
  api_gateway: { name: 'API Gateway Plane', purpose: 'Governed calls of enterprise APIs' },
  event_bus: { name: 'Event Bus Plane', purpose: 'Commands and notifications as messages' },
  data_warehouse: { name: 'Data Warehouse Plane', purpose: 'Reads in bulk, and changes by staging tables' },
  direct: { name: 'Direct (Scrappy only)', purpose: 'Development and test' },
  custom: { name: 'Custom Plane', purpose: 'An adapter of the operator' },
};

/** How the path of an action through a plane is called in results and in the audit (domain reference §5.1). */
export const executionPaths: Readonly<Record<PlaneKind, string>> = {
  ipaas: 'ipaas_recipe',
  api_gateway: 'api_gateway',
  event_bus: 'kafka_topic',
  data_warehouse: 'staging_table',
  direct: 'direct_api',
  custom: 'custom',
};

const idPrefixes: Readonly<Record<Exclude<PlaneKind, 'custom'>, string>> = {
  ipaas: 'ipaas',
  api_gateway: 'gateway',
  event_bus: 'eventbus',
  data_warehouse: 'warehouse',
  direct: 'scrappy',
};

const CUSTOM_NAME = /^custom_[a-z0-9][a-z0-9_-]{0,62}$/;

export function kindOf(plane: PlaneName): PlaneKind {
  return isCustom(plane) ? 'custom' : plane;
}

/** The id of a tenant's plane: `ipaas_acme`, `custom_sap_acme`. */
export function planeIdOf(plane: PlaneName, tenantId: string): string {
  return `${isCustom(plane) ? plane : idPrefixes[plane]}_${tenantId}`;
}

/** The plane of that id in that tenant, or of that name or kind; undefined when the text is none of them. */
export function planeNamed(text: string, tenantId: string): PlaneName | undefined {
  // Ids first: the name of a custom plane may end like the id of another one.
  const name = text.endsWith(`_${tenantId}`) ? text.slice(0, -tenantId.length - 1) : text;
  const kind = planeKinds.filter((one) => one !== 'custom').find((one) => idPrefixes[one] === name);
  if (kind !== undefined) return kind;
  return isPlaneName(name) ? name : isPlaneName(text) ? text : undefined;
}

export function isPlaneName(text: string): text is PlaneName {
  return CUSTOM_NAME.test(text) || planeKinds.some((kind) => kind === text && kind !== 'custom');
}

function isCustom(plane: PlaneName): plane is `custom_${string}` {
  return plane.startsWith('custom_');
}
