/** A fabric on a real engine and database for tests: its planes are simulated unless a test says otherwise. */

import { randomUUID } from 'node:crypto';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { systemClock } from '../../src/core/clock.ts';
import { isJsonObject, type JsonObject } from '../../src/core/json.ts';
import type { ActionRecord } from '../../src/fabric/action-record.ts';
import { createFabric, type Fabric, type FabricParts } from '../../src/fabric/fabric.ts';
import { type FabricConfig, readFabricFile } from '../../src/fabric/fabric-file.ts';
import type { ActionOrder } from '../../src/fabric/router.ts';
import { createFeed, type Feed, type FeedItem } from '../../src/runs/feed.ts';
import type { Run } from '../../src/runs/run.ts';
import { startTestEngine, type TestEngine } from './engine.ts';
import { unenforcedGovernor } from './governance.ts';
import { silentLog } from './log.ts';

export interface TestFabric extends AsyncDisposable {
  readonly engine: TestEngine;
  readonly fabric: Fabric;
  readonly feed: Feed;
  /** Begins a run that routes an action. */
  begin(change?: Partial<ActionOrder>, caller?: Run['caller']): Promise<Run>;
  /** The same, to the run's end. */
  route(change?: Partial<ActionOrder>, caller?: Run['caller']): Promise<Run>;
  record(id: string): Promise<ActionRecord>;
  /** Facts of the feed about a subject; the newest appear when every transaction before theirs is over. */
  facts(subject: string): Promise<readonly FeedItem[]>;
}

export const tenant = { tenantId: 'acme', userId: '' };

/** Planes as a fabric file names them. */
export function fabricConfig(planes: Record<string, unknown>, preset = 'preset_2_ipaas_first'): FabricConfig {
  return readFabricFile(JSON.stringify({ preset, planes }));
}

/** A simulated plane that carries everything. */
export function simulatedPlane(settings: JsonObject = {}, binding: JsonObject = { recipe: 'recipe-1' }): JsonObject {
  return { vendor: 'simulated', latency_ms: [0, 1], attempts: 1, bindings: { '*:*': binding }, ...settings };
}

export const anyProxy = { path: '/x/{id}' };
export const anyTopic = { topic: 'aos.commands.any' };
export const anyTable = { table: 'aos_staging.any', operation: 'INSERT' };

export interface TestFabricOptions {
  readonly config: FabricConfig;
  readonly allowScrappy?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly url: string;
  readonly egress?: FabricParts['egress'];
}

export async function startTestFabric(options: TestFabricOptions): Promise<TestFabric> {
  const { config, allowScrappy = true, env = {}, url, egress } = options;
  const holder: { fabric?: Fabric } = {};
  const engine = await startTestEngine(url, async (scope) => {
    const asked = scope.run.request['order'];
    if (holder.fabric === undefined || !isJsonObject(asked)) throw new Error('there is nothing to route');
    return holder.fabric.router.route(scope, 'action', asked as unknown as ActionOrder, ROOT_CONTEXT);
  });
  const { database } = engine;
  const feed = createFeed({ database, clock: systemClock });
  const fabric = await createFabric({
    database,
    feed,
    config,
    allowScrappy,
    signal: engine.engine.signal,
    readEnv: (name) => env[name],
    clock: systemClock,
    log: silentLog,
    random: () => 0,
    governor: unenforcedGovernor(),
    egress,
  });
  holder.fabric = fabric;

  async function begin(change: Partial<ActionOrder> = {}, caller = tenant): Promise<Run> {
    const id = change.id ?? randomUUID();
    const order: ActionOrder = {
      id,
      agentId: 'cmo',
      correlationId: id,
      target: 'crm',
      type: 'update',
      entityId: 'cust_1042',
      entityType: 'customer',
      data: { tier: 'gold' },
      metadata: {},
      onUnavailable: 'fail',
      waitMs: 60_000,
      ...change,
    };
    return engine.begin({
      id: `${id}.1`,
      kind: 'orchestration',
      caller,
      request: { order: order as unknown as JsonObject },
    });
  }

  return {
    engine,
    fabric,
    feed,
    begin,
    async route(change, caller) {
      const run = await begin(change, caller);
      return engine.ended(run.id, run.caller.tenantId);
    },
    async record(id) {
      const record = await fabric.actions.load(id, tenant);
      if (record === undefined) throw new Error(`there is no action ${id}`);
      return record;
    },
    async facts(subject) {
      const items: FeedItem[] = [];
      for (let after = ''; ; ) {
        const page = await feed.read(tenant, after, 500);
        const last = page.at(-1);
        if (last === undefined) return items.filter((item) => item.subject === subject);
        items.push(...page);
        after = last.position;
      }
    },
    async [Symbol.asyncDispose]() {
      await fabric.stop();
      await engine[Symbol.asyncDispose]();
    },
  };
}

/** The action a run routes. */
export function actionIdOf(run: Run): string {
  return run.id.slice(0, run.id.lastIndexOf('.'));
}
