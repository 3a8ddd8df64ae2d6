/**
 * A process whose steps spend from budgets and that does not live long: `node budget-mortal.ts <url> <run>`. It sets aside
 * and settles as fast as it can, says `busy` once some of it is under way, and is killed by whoever started it.
 */
import { sql } from 'kysely';
import { systemClock } from '../../src/core/clock.ts';
import { accountsOf } from '../../src/governance/budget/budget.ts';
import { openDatabase } from '../../src/store/database.ts';
import { openBudgets } from './budgets.ts';
import { silentLog } from './log.ts';

const [url = '', run = ''] = process.argv.slice(2);
const database = await openDatabase({ url, clock: systemClock, log: silentLog });
const { book, ledger } = await openBudgets(database);
const spender = { tenantId: 'default', runId: run, rootId: run, workflow: 'collaborative' };

async function spend(step: string, nth: number): Promise<void> {
  const spending = { agentId: `agent-${nth % 3}`, kind: 'model', amounts: { tokens: 7 } };
  const asks = accountsOf(book.of('default'), spender, spending, systemClock.now());
  await ledger.reserve({ tenantId: 'default', runId: run, step, asks });
  if (nth % 2 === 0) return;
  await sql`select aos.settle_budget('default', ${run}, ${step}, '{"tokens": 3}', now())`.execute(database.db);
}

let said = false;
for (let round = 0; ; round++) {
  await Promise.all(Array.from({ length: 10 }, (_none, nth) => spend(`mortal-${round}-${nth}`, nth)));
  if (!said) process.stdout.write('busy\n');
  said = true;
}
