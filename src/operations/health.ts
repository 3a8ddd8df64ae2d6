/**
 * How the server is, as the seed systems' clients ask for it: the worst of its parts. A part that cannot even be asked
 * is unhealthy; why stays in the log.
 */
import { sql } from 'kysely';
import { z } from 'zod';
import { type Clock, isoTime } from '../core/clock.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Caller } from '../runs/run.ts';
import type { Database } from '../store/database.ts';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import type { AgentRegister } from './agent-register.ts';
import { time } from './field.ts';
import { type Operation, realize, specify } from './operation.ts';
import type { RecordStore } from './record-store.ts';

const HEALTH_WORDS = ['healthy', 'degraded', 'unhealthy'] as const;
export type HealthWord = (typeof HEALTH_WORDS)[number];

const component = z
  .looseObject({ status: z.enum(HEALTH_WORDS), detail: z.string().optional() })
  .meta({ id: 'ComponentHealth', description: 'How one part is, and figures of it' });
export type ComponentHealth = { status: HealthWord; detail?: string; [figure: string]: JsonValue | undefined };

/** Asks a part how it is. Rejecting means unhealthy. */
export type HealthCheck = () => Promise<ComponentHealth>;

const components = z.record(z.string(), component);

export const getHealth = specify({
  name: 'health.get',
  summary: 'How the server is',
  access: 'public',
  input: z.object({}),
  output: z.object({
    app: z.string(),
    status: z.enum(HEALTH_WORDS),
    version: z.string(),
    timestamp: time,
    active_orchestrations: z.int(),
    registered_apps: z.array(z.string()),
    agents_registered: z.int(),
    agents_enabled: z.int(),
    components,
    error: z.string().optional(),
  }),
  rest: { method: 'GET', path: '/api/health', status: 200, family: 'flat', statusOf: unhealthyIs503, unlimited: true },
  example: {
    output: {
      app: 'aos-agent-server',
      status: 'healthy',
      version: '0.1.0',
      timestamp: '2026-02-01T10:00:00.000Z',
      active_orchestrations: 2,
      registered_apps: ['business-infinity'],
      agents_registered: 7,
      agents_enabled: 7,
      components: { storage: { status: 'healthy' } },
    },
  },
});

export const getRuntimeHealth = specify({
  name: 'runtime.health',
  summary: 'How the runtime is',
  access: 'public',
  input: z.object({}),
  output: z.object({
    runtime_id: z.string(),
    status: z.enum(HEALTH_WORDS),
    version: z.string(),
    timestamp: time,
    uptime_seconds: z.number(),
    fabric_context: z.null().meta({ description: 'There are no planes yet' }),
    components,
  }),
  rest: {
    method: 'GET',
    path: '/api/v1/aoa/health',
    status: 200,
    family: 'detail',
    statusOf: unhealthyIs503,
    unlimited: true,
  },
  example: {
    output: {
      runtime_id: 'aoa-runtime-1f0c9a2b',
      status: 'healthy',
      version: '0.1.0',
      timestamp: '2026-02-01T10:00:00.000Z',
      uptime_seconds: 86401.2,
      fabric_context: null,
      components: { storage: { status: 'healthy' }, queue: { status: 'healthy', pending: 7 } },
    },
  },
});

export const healthSpecs = [getHealth, getRuntimeHealth];

function unhealthyIs503({ status }: { [member: string]: JsonValue }): number | undefined {
  return status === 'unhealthy' ? 503 : undefined;
}

export interface HealthParts {
  readonly database: Pick<Database, 'db' | 'tenant'>;
  readonly records: RecordStore;
  readonly agents: AgentRegister;
  readonly clock: Clock;
  readonly version: string;
  readonly runtimeId: string;
  /** By name of the part. */
  readonly checks: Readonly<Record<string, HealthCheck>>;
  /** Is told of every part that could not be asked. */
  readonly onFailure: (part: string, failure: unknown) => void;
}

export interface Health {
  /** As the seed system's server tells it. */
  ofServer(caller: Caller): Promise<z.infer<typeof getHealth.output>>;
  /** As the seed system's runtime tells it. */
  ofRuntime(): Promise<z.infer<typeof getRuntimeHealth.output>>;
  /** The same as JSON, for a task whose work it is to look. */
  ofTask(caller: Caller): Promise<JsonObject>;
}

export function createHealth(parts: HealthParts): Health {
  const { database, records, agents, clock, version, runtimeId, onFailure } = parts;
  const startedAt = clock.monotonic();
  const checks: Readonly<Record<string, HealthCheck>> = { storage: () => checkStorage(database), ...parts.checks };

  const failed = (name: string) => (failure: unknown) => {
    onFailure(name, failure);
    return { status: 'unhealthy', detail: 'does not answer' } as const;
  };

  async function look() {
    const found = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await check().catch(failed(name))] as const),
    );
    const status = HEALTH_WORDS.findLast((word) => found.some(([, part]) => part.status === word)) ?? 'healthy';
    return { status, components: Object.fromEntries(found) };
  }

  const health: Health = {
    async ofServer(caller) {
      const [{ status, components: found }, active, apps] = await Promise.all([
        look(),
        countActive(database.tenant, caller.tenantId).catch(() => 0),
        records.list(caller.tenantId, 'app', 500).catch(() => ({ items: [] })),
      ]);
      const visible = agents.visibleTo(caller);
      return {
        app: 'aos-agent-server',
        status,
        version,
        timestamp: isoTime(clock.now()),
        active_orchestrations: active,
        registered_apps: apps.items.map(({ id }) => id),
        agents_registered: visible.length,
        agents_enabled: visible.filter(({ enabled }) => enabled).length,
        components: found,
        ...(status === 'unhealthy' && { error: sentence(found) }),
      };
    },
    ofRuntime: async () => ({
      runtime_id: runtimeId,
      version,
      timestamp: isoTime(clock.now()),
      uptime_seconds: Math.round(clock.monotonic() - startedAt) / 1000,
      fabric_context: null,
      ...(await look()),
    }),
    ofTask: async () => (await health.ofRuntime()) as unknown as JsonObject,
  };
  return health;
}

export function createHealthOperations({ health }: { readonly health: Health }): readonly Operation[] {
  return [
    realize(getHealth, (_input, { caller }) => health.ofServer(caller)),
    realize(getRuntimeHealth, () => health.ofRuntime()),
  ];
}

function sentence(found: Readonly<Record<string, ComponentHealth>>): string {
  const broken = Object.entries(found).filter(([, { status }]) => status === 'unhealthy');
  return broken.map(([name, { detail }]) => (detail === undefined ? name : `${name}: ${detail}`)).join('; ');
}

async function checkStorage({ db }: Pick<Database, 'db'>): Promise<ComponentHealth> {
  await sql`select 1`.execute(db);
  return { status: 'healthy' };
}

async function countActive(tenant: TenantScopes, tenantId: string): Promise<number> {
  const { count } = await tenant(tenantId)
    .selectFrom('runs')
    .select((query) => query.fn.countAll<string>().as('count'))
    .where('tenant_id', '=', tenantId)
    .where('kind', '=', 'orchestration')
    .where('completed_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(count);
}
