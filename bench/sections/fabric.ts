/**
 * What the way through a plane costs: deciding which plane it is; the call of a connector beside a bare call of the same
 * HTTP server; and the whole way of an action, kept in the database before and after, beside that bare call and beside as
 * many commits as it makes. The run is one in memory: what its steps cost is measured by `engine`.
 */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { context } from '@opentelemetry/api';
import { sql } from 'kysely';
import { systemClock } from '../../src/core/clock.ts';
import { newUuid } from '../../src/core/ids.ts';
import type { RunScope, StepContext } from '../../src/engine/engine.ts';
import { actionPairs } from '../../src/fabric/action.ts';
import type { RoutedAction } from '../../src/fabric/connector.ts';
import { createFabric, type Fabric } from '../../src/fabric/fabric.ts';
import { readFabricFile } from '../../src/fabric/fabric-file.ts';
import { presets } from '../../src/fabric/preset.ts';
import { type CellOverride, planesFor } from '../../src/fabric/routing-table.ts';
import { createFeed } from '../../src/runs/feed.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';
import { silentGovernor } from '../measure/silent-governor.ts';
import { latencySummary, type Spread, spread } from '../measure/statistics.ts';
import { figure, figures, table } from '../measure/table.ts';
import type { Effort, SectionResult } from '../section.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} };
const caller = { tenantId: 'bench', userId: '' };
const signal = new AbortController().signal;
const data = { amount: 120.5, currency: 'EUR', order: '7781' };

/** Runs every step at once and keeps nothing. */
const scope = {
  run: { id: 'run-1', caller, createdAt: '2026-02-01T10:00:00.000Z', sessionId: 's' },
  signal,
  step: (name: string, body: (step: StepContext) => Promise<unknown>) =>
    body({ signal, attempt: 1, idempotencyKey: `run-1/${name}` }),
  emit: async () => {},
  recorded: () => undefined,
  isSettled: () => false,
} as unknown as RunScope;

export async function benchFabric(effort: Effort): Promise<SectionResult> {
  const folder = mkdtempSync(join(tmpdir(), 'aos-bench-fabric-'));
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"ext-1"}'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const postgres = await startEmbeddedPostgres({ folder, host: process, clock: systemClock, log });
  const database = await openDatabase({ url: postgres.url, clock: systemClock, log });
  const fabric = await createFabric({
    database,
    feed: createFeed({ database, clock: systemClock }),
    config: readFabricFile(JSON.stringify({ preset: 'scrappy', planes: { direct: planeAt(url) } })),
    allowScrappy: true,
    signal: async () => true,
    readEnv: () => undefined,
    clock: systemClock,
    log,
    random: () => 0,
    governor: silentGovernor,
  });
  try {
    const decision = decisions();
    const { rows, ratio } = await calls(fabric, database, url, effort);
    return {
      data: { decision, rows, ratio },
      aims: [
        { what: 'µs at p50 to decide on the planes of an action', measured: decision.p50, is: 'at most', aim: 20 },
        { what: 'call of a connector (ms p50) to a bare call', measured: ratio.connector, is: 'at most', aim: 3 },
        { what: 'routed action (ms p50) to its commits alone', measured: ratio.routed, is: 'at most', aim: 3 },
      ],
      text: table(
        `Fabric (which planes an action may take: ${figure(decision.p50)} µs p50, ${figure(decision.p99)} µs p99)`,
        ['what', 'ms p50'],
        rows.map(({ what, ms }) => [what, figures(ms)]),
      ),
    };
  } finally {
    await fabric.stop();
    await database.close();
    await postgres.stop();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function planeAt(base_url: string) {
  return {
    vendor: 'http',
    base_url,
    allow_addresses: ['127.0.0.0/8'],
    max_concurrent: 64,
    bindings: { '*:*': { path: '/{target}/{id}', method: 'POST' } },
  };
}

/** Every preset and pair, with a tenant that orders some cells its own way. */
function decisions() {
  const cells = presets.flatMap((preset) =>
    actionPairs.map((pair) => {
      const [target, type] = pair.split(':');
      return { preset, target, type } as Omit<CellOverride, 'planes'>;
    }),
  );
  const overrides = cells
    .filter((_cell, index) => index % 50 === 0)
    .map((cell) => ({ ...cell, planes: ['ipaas'] as const }));
  const taken: number[] = [];
  for (let round = 0; round < 60; round++) {
    for (const { preset, target, type } of cells) {
      const at = systemClock.monotonic();
      planesFor(preset, target, type, overrides);
      if (round > 10) taken.push((systemClock.monotonic() - at) * 1000);
    }
  }
  return latencySummary(taken);
}

interface Row {
  readonly what: string;
  readonly ms: Spread;
}

async function calls(fabric: Fabric, database: Database, url: string, { rounds, windowMs }: Effort) {
  const plane = fabric.fleet.find(caller.tenantId, 'direct');
  if (plane === undefined) throw new Error('there is no plane');
  const action = (id: string): RoutedAction => ({
    ...{ id, ...caller, agentId: 'cfo', correlationId: 's', target: 'finance', type: 'execute', entityId: 'c-1' },
    ...{ entityType: 'refund', data, metadata: {}, preset: 'preset_6_scrappy', plane: 'direct', planeId: plane.id },
    binding: { kind: 'call', path: '/{target}/{id}', method: 'POST' },
    createdAt: '2026-02-01T10:00:00.000Z',
  });
  const order = (id: string) => ({ ...action(id), plane: undefined, onUnavailable: 'fail', waitMs: 60_000 }) as const;
  let commits = 0;
  const ways: Record<string, () => Promise<unknown>> = {
    'a bare call (POST, JSON)': async () => {
      const body = JSON.stringify(data);
      const response = await fetch(`${url}/finance/c-1`, { method: 'POST', body });
      return response.json();
    },
    'the same by a connector': () => {
      const deadline = systemClock.now() + 10_000;
      return plane.connector.run(action(newUuid()), { idempotencyKey: newUuid(), attempt: 1, deadline, signal });
    },
    'an action through the router': () => {
      const id = newUuid();
      return fabric.router.route(scope, `a/${id}`, order(id), context.active());
    },
    'as many commits as it makes': async () => {
      for (let nth = 0; nth < commits; nth++) {
        await sql`insert into aos.bench_commits (data) values (${JSON.stringify(data)})`.execute(database.db);
      }
    },
  };
  await sql`create table if not exists aos.bench_commits (id bigint generated always as identity, data text)`.execute(
    database.db,
  );
  const warm = ways['an action through the router'];
  const before = await committed(database);
  for (let nth = 0; nth < 50; nth++) await warm?.();
  commits = Math.round(((await committed(database)) - before) / 50);
  const samples = Object.entries(ways).map(([what, act]) => ({ what, act, p50: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    for (const { act, p50 } of samples) p50.push(await p50Of(act, windowMs));
  }
  const rows = samples.map(
    ({ what, p50 }): Row => ({
      what: what.replace('as many commits', `as many commits (${commits})`),
      ms: spread(p50),
    }),
  );
  const [bare, connector, routed, alone] = rows.map(({ ms }) => ms.median);
  const over = (one = Number.NaN, other = Number.NaN) => one / other;
  return { rows, ratio: { connector: over(connector, bare), routed: over(routed, alone) } };
}

/** Transactions that wrote something so far. */
async function committed({ db }: Database): Promise<number> {
  const { rows } = await sql<{ count: string }>`select txid_current()::text as count`.execute(db);
  return Number(rows[0]?.count);
}

async function p50Of(act: () => Promise<unknown>, windowMs: number): Promise<number> {
  const taken: number[] = [];
  const start = systemClock.monotonic();
  while (systemClock.monotonic() - start < windowMs) {
    const at = systemClock.monotonic();
    await act();
    taken.push(systemClock.monotonic() - at);
  }
  return latencySummary(taken).p50;
}
