/** A host with operations behind its REST door, for tests of one area: nothing else of the container is there. */
import { createApiDoor } from '../../src/api/door.ts';
import { createIdempotency } from '../../src/api/idempotency.ts';
import { createRequestMeter } from '../../src/api/request-meter.ts';
import { createApiRoutes } from '../../src/api/routes.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { Entrance } from '../../src/identity/entrance.ts';
import type { Operation } from '../../src/operations/operation.ts';
import type { Database } from '../../src/store/database.ts';
import type { Log } from '../../src/telemetry/log.ts';
import { openEntrance } from './entrance.ts';
import { startHost, type TestHost } from './host.ts';

export function startApiHost(
  operations: readonly Operation[],
  database: Database,
  log: Log,
  entrance: Entrance = openEntrance,
): Promise<TestHost> {
  const clock = systemClock;
  const stopping = new AbortController().signal;
  const door = createApiDoor({ entrance, idempotency: createIdempotency({ database, clock }), clock, log, stopping });
  const meter = createRequestMeter();
  return startHost(() => {}, {
    app: createApiRoutes({ operations, door, meter, instruments: async () => '', clock }),
  });
}
