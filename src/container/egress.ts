/** The guard of the process, told what this server is configured with. */

import type { PermitDirect } from '../agents/standard-tools/http-fetch.ts';
import type { Config } from '../config.ts';
import type { Clock } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import { type Destination, destinationOfUrl } from '../egress/destination.ts';
import { createEgressGuard, type EgressGuard } from '../egress/egress-guard.ts';
import type { FabricContexts } from '../fabric/fabric-context.ts';
import type { Audit } from '../governance/audit/audit.ts';
import type { IdentitySettings } from '../identity/identity-settings.ts';
import { DEFAULT_TENANT } from '../runs/run.ts';
import type { Database } from '../store/database.ts';
import type { Env } from '../telemetry/export.ts';
import { exportAddresses } from '../telemetry/export-address.ts';
import type { Log } from '../telemetry/log.ts';

export interface ContainerEgressOptions {
  readonly config: Config;
  readonly environment: Env;
  readonly databaseUrl: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly onRefused: (destination: string) => void;
}

/** Not at work yet; the model and the server's own address are added when they are known. */
export function createContainerEgress(options: ContainerEgressOptions): EgressGuard {
  const { config, environment, databaseUrl, clock, log, onRefused } = options;
  const { mode, allow } = config.runtime.egress;
  const shared = { clock, log, onRefused };
  if (config.simulation !== undefined) {
    const strict = createEgressGuard({ ...shared, mode: 'guard', strict: true });
    strict.allow(...allow, databaseDestination(databaseUrl, environment));
    return strict;
  }
  const guard = createEgressGuard({ ...shared, mode });
  guard.allow(
    ...allow,
    databaseDestination(databaseUrl, environment),
    ...exportAddresses(environment).map((url) => destinationOfUrl('telemetry', url)),
    ...keysOfTokens(config.runtime.identity).map((url) => destinationOfUrl('identity', url)),
    ...(signsIn(config.model) ? entraDestinations(environment) : []),
  );
  return guard;
}

/** Where the driver connects to for a database address: `?host=` wins, and a folder is that of a Unix socket. */
export function databaseDestination(url: string, environment: Env): Destination {
  const { hostname, port, searchParams } = new URL(url);
  const host = searchParams.get('host') || decodeURIComponent(hostname) || environment['PGHOST'] || 'localhost';
  const number = Number(searchParams.get('port') || port || environment['PGPORT']) || 5432;
  return host.startsWith('/')
    ? { part: 'database', path: `${host}/.s.PGSQL.${number}` }
    : { part: 'database', host, port: number };
}

/** Tells the audit log of refusals. They belong to the process, not to anybody's work: the operator's tenant has them. */
export function refusalsIn(audit: Pick<Audit, 'write'>, { db }: Pick<Database, 'db'>, log: Log) {
  return (destination: string): void => {
    const entry = {
      tenantId: DEFAULT_TENANT,
      action: 'EGRESS_BLOCKED',
      outcome: 'denied',
      reason: 'EGRESS_REFUSED',
      actor: { type: 'system', id: 'system' },
      details: { destination },
    } as const;
    audit.write(db, entry).catch((failure: unknown) => {
      log.warn('a refused connection is not in the audit log', { destination, reason: asError(failure).message });
    });
  };
}

export interface DirectPermissionParts {
  readonly contexts: Pick<FabricContexts, 'of'>;
  /** Whether the operator allows it whatever the preset. */
  readonly allowed: boolean;
  readonly audit: Pick<Audit, 'write'>;
  readonly database: Pick<Database, 'db'>;
}

/** Requests of agents past every plane: only under the preset that allows direct calls, unless the operator says so. */
export function createDirectPermission({ contexts, allowed, audit, database }: DirectPermissionParts): PermitDirect {
  return async ({ caller: { tenantId, userId }, url, simulation }) => {
    if (allowed) return;
    const { preset, isDirectAllowed, primaryPlaneId } = await contexts.of(tenantId);
    if (isDirectAllowed) return;
    await audit.write(database.db, {
      tenantId,
      action: 'EGRESS_BLOCKED',
      outcome: 'denied',
      reason: 'DIRECT_FORBIDDEN',
      actor: { type: 'system', id: 'system' },
      owner: userId,
      Primary_Plane_ID: primaryPlaneId,
      fabric_preset: preset,
      simulation,
      details: { destination: URL.parse(url)?.host ?? '' },
    });
    throw new AosError(
      'forbidden',
      `requests past the planes are forbidden under ${preset}: use an action of a plane; the operator may allow them with AOS_ALLOW_HTTP_FETCH`,
      { reason: 'DIRECT_FORBIDDEN' },
    );
  };
}

/** Where the keys are published that verify the tokens of callers. */
function keysOfTokens(identity: IdentitySettings): readonly string[] {
  return identity.mode === 'jwt' && identity.issued !== undefined ? [identity.issued.jwksUrl] : [];
}

function signsIn(model: Config['model']): boolean {
  return model.provider === 'foundry' || (model.provider === 'azure' && model.apiKey === undefined);
}

/** Where Entra tokens come from: the sign-in service, and the managed identity of the machine. */
function entraDestinations(environment: Env): readonly (Destination | undefined)[] {
  const named = ['AZURE_AUTHORITY_HOST', 'IDENTITY_ENDPOINT', 'MSI_ENDPOINT', 'IMDS_ENDPOINT'];
  return [
    ...named.map((name) => destinationOfUrl('identity', environment[name] ?? '')),
    { part: 'identity', host: 'login.microsoftonline.com', port: 443 },
    { part: 'identity', host: '*.login.microsoft.com', port: 443 },
    { part: 'identity', host: 'login.microsoft.com', port: 443 },
    { part: 'identity', host: '169.254.169.254', port: 80 },
  ];
}
