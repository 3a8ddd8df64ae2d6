/** The fabric, put together: contexts, planes, the watch over them, the actions and the router. */
import type { Clock } from '../core/clock.ts';
import type { Engine } from '../engine/engine.ts';
import type { Governor } from '../governance/governor.ts';
import type { DataGuard } from '../governance/screening/data-guard.ts';
import type { Feed } from '../runs/feed.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import { type ActionStore, createActionStore } from './action-store.ts';
import { createFabricContexts, type FabricContexts } from './fabric-context.ts';
import type { FabricConfig } from './fabric-file.ts';
import { createFleet, type Fleet } from './fleet.ts';
import { createPlaneWatch, type PlaneWatch } from './plane-watch.ts';
import { createRouter, type Router } from './router.ts';
import { createSecretReader } from './secret.ts';

export interface Fabric {
  readonly contexts: FabricContexts;
  readonly fleet: Fleet;
  readonly watch: PlaneWatch;
  readonly actions: ActionStore;
  readonly router: Router;
  /** Begins to watch over the planes. */
  start(): void;
  /** Stops watching and lets go of the planes' connections; no action follows. */
  stop(): Promise<void>;
}

export interface FabricParts {
  readonly database: Database;
  readonly feed: Feed;
  readonly config: FabricConfig;
  readonly allowScrappy: boolean;
  /** Wakes runs; the engine's. */
  readonly signal: Engine['signal'];
  /** The environment as it is now: where secrets are. */
  readonly readEnv: (name: string) => string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Judges every action. */
  readonly governor: Governor;
  /** Whether the planes of the configuration are simulated ones. */
  readonly simulation?: boolean | undefined;
  /** What of personal data may be kept of what planes answer; everything when left out. */
  readonly egress?: DataGuard['egress'] | undefined;
}

/** @throws FabricFileError when vendors' settings cannot be used */
export async function createFabric(parts: FabricParts): Promise<Fabric> {
  const { database, feed, config, allowScrappy, signal, clock, log, random } = parts;
  const fleet = await createFleet({ config, clock, log, secret: createSecretReader(parts.readEnv) });
  const actions = createActionStore({ database, feed, clock });
  const contexts = createFabricContexts({ database, feed, config, clock, allowScrappy });
  const watch = createPlaneWatch({ database, feed, fleet, actions, signal, clock, log });
  const router = createRouter({
    contexts,
    fleet,
    watch,
    actions,
    clock,
    log,
    random,
    governor: parts.governor,
    simulation: parts.simulation,
    egress: parts.egress,
  });
  return {
    contexts,
    fleet,
    watch,
    actions,
    router,
    start: () => watch.start(),
    async stop() {
      await watch.stop();
      await fleet.close();
    },
  };
}
