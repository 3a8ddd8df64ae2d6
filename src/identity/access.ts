/**
 * What a caller may do: roles and scopes become rights, and an operation says which right it wants. Rights hold
 * everywhere or in one *area*, which is the first word of what is asked for (`fabric` of `fabric.preset`).
 *
 * viewer reads; operator reads and writes; approver reads and decides about approvals, and so decides about nothing he
 * could have ordered himself; admin may everything.
 */
import { AosError } from '../core/errors.ts';

/** The right that an operation wants; `public` is for everybody, also for those who say nothing about themselves. */
export const accesses = ['public', 'read', 'write', 'approve', 'admin'] as const;
export type Access = (typeof accesses)[number];
export type Right = Exclude<Access, 'public'>;

export const roles = ['viewer', 'operator', 'approver', 'admin'] as const;
export type Role = (typeof roles)[number];

/** Something that is asked for. */
export interface Need {
  readonly access: Access;
  /** Its name: that of an operation, or `runs.start`, `runs.read`, `runs.cancel`, `server.metrics`. */
  readonly what: string;
}

/** The rights of a caller: in every area (`*`), and in single ones. */
export type Rights = ReadonlyMap<string, ReadonlySet<Right>>;

const EVERYWHERE = '*';

type Grant = readonly [area: string, ...rights: Right[]];

const ROLES: Readonly<Record<Role, Grant>> = {
  viewer: [EVERYWHERE, 'read'],
  operator: [EVERYWHERE, 'read', 'write'],
  approver: [EVERYWHERE, 'read', 'approve'],
  admin: [EVERYWHERE, 'read', 'write', 'approve', 'admin'],
};

/** A run is what an orchestration becomes, and what it did is in its session. */
const ORCHESTRATIONS: readonly Grant[] = ['orchestrations', 'runs', 'sessions', 'queues'].map((area) => [
  area,
  'read',
  'write',
]);

const SCOPES: Readonly<Record<string, readonly Grant[]>> = {
  'aoa:read': [[EVERYWHERE, 'read']],
  'aoa:write': [[EVERYWHERE, 'read', 'write']],
  'fabric:admin': [['fabric', 'read', 'write', 'admin']],
  'approvals:decide': [['approvals', 'read', 'approve']],
  'orchestrations:*': ORCHESTRATIONS,
  /** The app role by which the seed systems' clients may run something. */
  'workflows.execute': ORCHESTRATIONS,
  /** For whoever scrapes `/metrics`, which shows figures of all tenants. */
  'server:metrics': [['server', 'admin']],
};

export interface Roles {
  readonly roles: readonly Role[];
  /** The rest of what was said that means something here, in lower case. */
  readonly scopes: readonly string[];
}

/** Sorts words of a token or key into roles and scopes; words that mean nothing here are left out. */
export function sortRoles(words: readonly string[]): Roles {
  const known = [...new Set(words.map((word) => word.trim().toLowerCase()))];
  return {
    roles: roles.filter((role) => known.includes(role)),
    scopes: known.filter((word) => Object.hasOwn(SCOPES, word)),
  };
}

export function rightsOf({ roles: held, scopes }: Roles): Rights {
  const rights = new Map<string, Set<Right>>();
  const grants = [...held.map((role) => ROLES[role]), ...scopes.flatMap((scope) => SCOPES[scope] ?? [])];
  for (const [area, ...given] of grants) {
    rights.set(area, (rights.get(area) ?? new Set()).union(new Set(given)));
  }
  return rights;
}

/** Whether the rights reach. */
export function allows(rights: Rights, { access, what }: Need): boolean {
  if (access === 'public') return true;
  const [area = ''] = what.split('.');
  return rights.get(EVERYWHERE)?.has(access) === true || rights.get(area)?.has(access) === true;
}

/** Whether the rights are those of an administrator of everything, not of one area. */
export function isAdministrator(rights: Rights): boolean {
  return rights.get(EVERYWHERE)?.has('admin') === true;
}

/** The refusal of one whose rights do not reach; it names the right and what the caller holds. */
export function rightMissing({ access, what }: Need, held: Roles): AosError {
  const words = [...held.roles, ...held.scopes];
  const holds = words.length === 0 ? 'no role and no scope' : words.join(', ');
  const enough = roles.filter((role) => access !== 'public' && ROLES[role].includes(access));
  return new AosError(
    'forbidden',
    `${what} needs the right "${access}", which ${enough.join(', ')} have; you hold ${holds}. Ask whoever gives out roles for one of them.`,
    { reason: 'RIGHT_MISSING', facts: { right: access, roles: words } },
  );
}
