/**
 * A process that follows a run another process writes: `node follower.ts <database url> <run id>`. Tells its parent when
 * it has the first event, and of each one after it when that came (epoch milliseconds, with fractions).
 */

import { systemClock } from '../../src/core/clock.ts';
import { createEventLog } from '../../src/runs/event-log.ts';
import { DEFAULT_TENANT, runKey } from '../../src/runs/run.ts';
import { openDatabase } from '../../src/store/database.ts';

const [url = '', runId = ''] = process.argv.slice(2);
const log = { debug() {}, info() {}, warn() {}, error() {} };
const database = await openDatabase({ url, clock: systemClock, log });
const events = createEventLog({ database, clock: systemClock });
// The run may not be there yet, which would end the following of it.
while ((await events.read(runKey(DEFAULT_TENANT, runId), 0, 1)).length === 0) await systemClock.sleep(5);
for await (const _event of events.follow(runKey(DEFAULT_TENANT, runId), 0))
  process.send?.(performance.timeOrigin + performance.now());
