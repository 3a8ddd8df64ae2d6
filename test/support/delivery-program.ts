/** A process that brings out what is in the outbox, for tests that kill it: `node delivery-program.ts <database url>`. */
import { systemClock } from '../../src/core/clock.ts';
import { createDeliveries } from '../../src/egress/delivery.ts';
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts';
import { createRecorder, createRecordingFetch } from '../../src/egress/recorder.ts';
import { openDatabase } from '../../src/store/database.ts';
import { silentLog } from './log.ts';

const [url = ''] = process.argv.slice(2);
const database = await openDatabase({ url, clock: systemClock, log: silentLog });
const fetch = createGuardedFetch({ clock: systemClock, allow: ['127.0.0.0/8'] });
const pace = { leaseMs: 300 };
const record = createRecordingFetch(createRecorder({ database, clock: systemClock }));
await createDeliveries({
  database,
  fetch,
  record,
  secret: undefined,
  clock: systemClock,
  log: silentLog,
  pace,
}).start();
// Timers do not keep a process alive; this does, until it is killed.
process.stdin.resume();
