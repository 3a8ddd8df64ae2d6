/** Which file stands for which vendor. */
import { type AnyConnectorKind, anyKind } from './connector-kind.ts';
import type { Vendor } from './plane.ts';

const roster: Readonly<Partial<Record<Vendor, () => Promise<AnyConnectorKind>>>> = {
  workato: async () => anyKind((await import('./workato.ts')).workato),
  tray: async () => anyKind((await import('./tray.ts')).tray),
  celigo: async () => anyKind((await import('./celigo.ts')).celigo),
  kong: async () => anyKind((await import('./kong.ts')).kong),
  apigee: async () => anyKind((await import('./apigee.ts')).apigee),
  eventbridge: async () => anyKind((await import('./eventbridge.ts')).eventbridge),
  kafka: async () => anyKind((await import('./kafka.ts')).kafka),
  redis_streams: async () => anyKind((await import('./redis-streams.ts')).redisStreams),
  snowflake: async () => anyKind((await import('./snowflake.ts')).snowflake),
  bigquery: async () => anyKind((await import('./bigquery.ts')).bigquery),
  http: async () => anyKind((await import('./http.ts')).http),
  simulated: async () => anyKind((await import('./simulated.ts')).simulated),
};

/** @returns undefined for a vendor this build has no connector for */
export function loadVendor(vendor: Vendor): Promise<AnyConnectorKind> | undefined {
  return roster[vendor]?.();
}

export const availableVendors: readonly string[] = Object.keys(roster);
