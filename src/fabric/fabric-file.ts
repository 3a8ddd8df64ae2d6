/**
 * The fabric file: which planes there are, who stands behind each, and what the tenants do differently. Secrets are
 * named in it, never written. Every fault is told at once, with its place.
 */
import { z } from 'zod';
import { closest } from '../core/closest.ts';
import { addressBlocks } from '../egress/public-address.ts';
import { type ActionPair, type ActionType, actionTypes, type TargetSystem, targetSystems } from './action.ts';
import type { Binding } from './binding.ts';
import { bindingKinds } from './binding.ts';
import { defaultBinding } from './default-binding.ts';
import { isPlaneName, kindOf, type PlaneKind, type PlaneName, type Vendor, vendors, vendorsOf } from './plane.ts';
import { type Preset, presetNamed } from './preset.ts';

const httpMethod = z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).optional();
const path = z.string().min(1).max(1000);
const label = z.string().min(1).max(300);

/** The members of a binding, by the kind of plane; its `kind` follows from the plane. */
const bindingShapes = {
  recipe: z.strictObject({ recipe: label, name: label.optional(), path: path.optional() }),
  proxy: z.strictObject({ route: label.optional(), upstream: label.optional(), path, method: httpMethod }),
  topic: z.strictObject({ topic: label, key: label.default('entity_id') }),
  table: z.strictObject({ table: label, operation: z.enum(['INSERT', 'UPSERT', 'SELECT']) }),
  call: z.strictObject({ path, method: httpMethod }),
} as const;

const addressBlock = z.string().refine(
  (text) => {
    try {
      addressBlocks([text]);
      return true;
    } catch {
      return false;
    }
  },
  { error: 'must be an address block such as 10.0.0.0/8' },
);

const planeShape = z.looseObject({
  vendor: z.enum(vendors),
  title: z.string().min(1).max(100).optional(),
  timeout_seconds: z.number().min(0.05).max(600).default(30),
  /** On the wire in one go, as far as repeating is safe. */
  attempts: z.int().min(1).max(5).default(3),
  rate_per_second: z.number().min(0.01).max(100_000).optional(),
  max_concurrent: z.int().min(1).max(10_000).default(16),
  max_waiting: z.int().min(0).max(100_000).default(200),
  health_check_interval_seconds: z.number().min(1).max(86_400).default(60),
  breaker: z
    .strictObject({
      failures: z.int().min(1).max(1000).default(5),
      window_seconds: z.number().min(0.1).max(3600).default(60),
      open_seconds: z.number().min(0.1).max(3600).default(30),
    })
    .prefault({}),
  /** Address blocks that the plane may be at although they are not public. */
  allow_addresses: z.array(addressBlock).max(100).default([]),
  bindings: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
});

const planesShape = z.record(z.string(), planeShape);
const presetShape = z.string().optional();
const fileShape = z.strictObject({
  $schema: z.string().optional(),
  preset: presetShape,
  planes: planesShape.default({}),
  tenants: z.record(z.string(), z.strictObject({ preset: presetShape, planes: planesShape.default({}) })).default({}),
});

/** A plane as the operator configured it. */
export interface PlaneConfig {
  readonly name: PlaneName;
  readonly kind: PlaneKind;
  readonly vendor: Vendor;
  readonly title: string | undefined;
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly ratePerSecond: number | undefined;
  readonly maxConcurrent: number;
  readonly maxWaiting: number;
  readonly healthCheckMs: number;
  readonly breaker: { readonly failures: number; readonly windowMs: number; readonly openMs: number };
  readonly allowAddresses: readonly string[];
  /** What the operator bound, by pair; `*` stands for every target or every action. */
  readonly bindings: Readonly<Record<string, Binding>>;
  /** What the vendor's own schema checks. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface FabricConfig {
  readonly preset: Preset | undefined;
  readonly planes: readonly PlaneConfig[];
  readonly tenants: Readonly<
    Record<string, { readonly preset: Preset | undefined; readonly planes: readonly PlaneConfig[] }>
  >;
}

export const emptyFabric: FabricConfig = { preset: undefined, planes: [], tenants: {} };

/** Without a file, in development: systems are simulated behind the direct plane. */
export const developmentFabric: FabricConfig = {
  preset: 'preset_6_scrappy',
  planes: readPlanes({ direct: planeShape.parse({ vendor: 'simulated' }) }, 'planes', () => undefined),
  tenants: {},
};

/** The fabric file cannot be used; the message has a line for every fault. */
export class FabricFileError extends Error {
  override readonly name = 'FabricFileError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** @throws FabricFileError naming every fault that can be seen without the vendors' own schemas */
export function readFabricFile(text: string): FabricConfig {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new FabricFileError(['the fabric file is not JSON']);
  }
  const parsed = fileShape.safeParse(data);
  if (!parsed.success) {
    throw new FabricFileError(
      parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`),
    );
  }
  const faults: string[] = [];
  const fault = (message: string) => void faults.push(message);
  const { preset, planes, tenants } = parsed.data;
  const config: FabricConfig = {
    preset: readPreset(preset, 'preset', fault),
    planes: readPlanes(planes, 'planes', fault),
    tenants: Object.fromEntries(
      Object.entries(tenants).map(([tenant, own]) => [
        tenant,
        {
          preset: readPreset(own.preset, `tenants.${tenant}.preset`, fault),
          planes: readPlanes(own.planes, `tenants.${tenant}.planes`, fault),
        },
      ]),
    ),
  };
  if (faults.length > 0) throw new FabricFileError(faults);
  return config;
}

/** The planes of a tenant: its own, and of the others those it has no own of. */
export function planesOfTenant(config: FabricConfig, tenantId: string): readonly PlaneConfig[] {
  const own = Object.hasOwn(config.tenants, tenantId) ? (config.tenants[tenantId]?.planes ?? []) : [];
  return [...own, ...config.planes.filter(({ name }) => !own.some((plane) => plane.name === name))];
}

export function presetOfTenant(config: FabricConfig, tenantId: string): Preset | undefined {
  const own = Object.hasOwn(config.tenants, tenantId) ? config.tenants[tenantId]?.preset : undefined;
  return own ?? config.preset;
}

/** What a plane calls an action; undefined when it does not carry it. */
export function bindingFor(
  { kind, bindings }: PlaneConfig,
  target: TargetSystem,
  type: ActionType,
): Binding | undefined {
  const pair: ActionPair = `${target}:${type}`;
  const own = bindings[pair] ?? bindings[`${target}:*`] ?? bindings[`*:${type}`];
  return own ?? bindings['*:*'] ?? defaultBinding(kind, pair);
}

type Fault = (message: string) => void;

function readPreset(text: string | undefined, where: string, fault: Fault): Preset | undefined {
  if (text === undefined) return undefined;
  const preset = presetNamed(text);
  if (preset === undefined) fault(`${where}: "${text}" is no preset`);
  return preset;
}

function readPlanes(given: z.output<typeof planesShape>, where: string, fault: Fault): readonly PlaneConfig[] {
  return Object.entries(given).flatMap(([name, plane]) => {
    if (!isPlaneName(name)) {
      fault(
        `${where}.${name}: no plane has that name: expected ipaas, api_gateway, event_bus, data_warehouse, direct or custom_<name>`,
      );
      return [];
    }
    return [readPlane(name, plane, `${where}.${name}`, fault)];
  });
}

function readPlane(name: PlaneName, plane: z.output<typeof planeShape>, where: string, fault: Fault): PlaneConfig {
  const { vendor, title, timeout_seconds, attempts, rate_per_second, max_concurrent, max_waiting, ...others } = plane;
  const { health_check_interval_seconds, breaker, allow_addresses, bindings, ...settings } = others;
  const kind = kindOf(name);
  if (!vendorsOf[kind].includes(vendor)) {
    fault(`${where}.vendor: ${vendor} does not stand behind ${name}: expected one of ${vendorsOf[kind].join(', ')}`);
  }
  return {
    name,
    kind,
    vendor,
    title,
    timeoutMs: timeout_seconds * 1000,
    attempts,
    // What its webhooks take for sure; the operator may know better.
    ratePerSecond: rate_per_second ?? (vendor === 'workato' ? 20 : undefined),
    maxConcurrent: max_concurrent,
    maxWaiting: max_waiting,
    healthCheckMs: health_check_interval_seconds * 1000,
    breaker: {
      failures: breaker.failures,
      windowMs: breaker.window_seconds * 1000,
      openMs: breaker.open_seconds * 1000,
    },
    allowAddresses: allow_addresses,
    bindings: readBindings(kind, bindings, where, fault),
    settings,
  };
}

function readBindings(
  kind: PlaneKind,
  given: Readonly<Record<string, unknown>>,
  where: string,
  fault: Fault,
): Readonly<Record<string, Binding>> {
  const bindings: Record<string, Binding> = {};
  for (const [pair, value] of Object.entries(given)) {
    const place = `${where}.bindings.${pair}`;
    const pairFault = faultOfPair(pair);
    if (pairFault !== undefined) fault(`${place}: ${pairFault}`);
    const bindingKind = bindingKinds[kind];
    const parsed = bindingShapes[bindingKind].safeParse(value);
    if (parsed.success) bindings[pair] = asBinding(bindingKind, pair, parsed.data);
    else
      for (const issue of parsed.error.issues)
        fault(`${place}${issue.path.map((key) => `.${String(key)}`).join('')}: ${issue.message}`);
  }
  return bindings;
}

function asBinding(kind: Binding['kind'], pair: string, members: object): Binding {
  const named = kind === 'proxy' && !('route' in members) ? { route: pair.replace(':', '-') } : {};
  // Checked by the shape of its kind above.
  return { kind, ...named, ...members } as Binding;
}

function faultOfPair(pair: string): string | undefined {
  const [target = '', type = '', ...rest] = pair.split(':');
  const targets: readonly string[] = [...targetSystems, '*'];
  const types: readonly string[] = [...actionTypes, '*'];
  if (rest.length > 0 || type === '') return 'expected <target>:<action> such as crm:update; * stands for any';
  if (!targets.includes(target))
    return `"${target}" is no target system${closest(target, targets, ', did you mean "%s"?')}`;
  return types.includes(type) ? undefined : `"${type}" is no action${closest(type, types, ', did you mean "%s"?')}`;
}
