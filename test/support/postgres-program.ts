/** A process with an embedded PostgreSQL, for tests that kill it: `node postgres-program.ts <folder>`. */
import { systemClock } from '../../src/core/clock.ts';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';
import { silentLog } from './log.ts';

const [folder = ''] = process.argv.slice(2);
try {
  const { pid } = await startEmbeddedPostgres({ folder, host: process, clock: systemClock, log: silentLog });
  process.stdout.write(`up ${pid}\n`);
} catch (failure) {
  process.stdout.write(`${String(failure)}\n`);
}
