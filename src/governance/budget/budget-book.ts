/**
 * The budgets there are. Looking for those of a tenant is a look into memory; who changes one tells the other processes.
 * Every change is kept, told to the feed, and so to the audit log.
 */
import type { Selectable } from 'kysely';
import type { Clock } from '../../core/clock.ts';
import { AosError, asError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Feed } from '../../runs/feed.ts';
import type { Database, StoreScope } from '../../store/database.ts';
import type { BudgetTable } from '../../store/tables/budget.ts';
import type { Log } from '../../telemetry/log.ts';
import { type Budget, type BudgetDocument, budgetSchema } from './budget.ts';

/** Something that was done to a budget. */
export interface BudgetChange {
  readonly kind: 'set' | 'removed' | 'topped_up';
  readonly account: string | null;
  readonly amount: number | null;
  readonly by: string;
  /** ISO-8601 UTC. */
  readonly at: string;
  /** Of `set` the budget as it was written, of `topped_up` why. */
  readonly content: JsonObject | null;
}

export interface BudgetBook {
  start(): Promise<void>;
  stop(): void;
  /** The budgets of a tenant; empty for most. */
  of(tenantId: string): readonly Budget[];
  /** Whether anybody has any. */
  readonly isEmpty: boolean;
  find(tenantId: string, id: string): Budget | undefined;
  /** Writes a budget, new or in place of the one of that id; what was spent stays spent. @param by the user's name, `operator` where the call names none */
  set(tenantId: string, id: string, document: BudgetDocument, by: string): Promise<Budget>;
  /** Removes it with its accounts. @returns whether there was one */
  remove(tenantId: string, id: string, by: string): Promise<boolean>;
  /** Newest first, also of a budget that is gone. */
  changes(tenantId: string, id: string, limit: number): Promise<readonly BudgetChange[]>;
}

export interface BudgetBookParts {
  readonly database: Database;
  readonly feed: Pick<Feed, 'write'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Here the processes are told that budgets have changed, or what is left of them. */
export const BUDGET_CHANNEL = 'aos_budgets';

const NONE: readonly Budget[] = [];

export function createBudgetBook({ database, feed, clock, log }: BudgetBookParts): BudgetBook {
  const { db, notifications } = database;
  let tenants = new Map<string, Budget[]>();
  let stopListening: (() => void) | undefined;

  async function load(): Promise<void> {
    const rows = await db.selectFrom('budgets').selectAll().orderBy('tenant_id').orderBy('id').execute();
    const loaded = new Map<string, Budget[]>();
    for (const row of rows) {
      const ofTenant = loaded.get(row.tenant_id) ?? [];
      ofTenant.push(toBudget(row));
      loaded.set(row.tenant_id, ofTenant);
    }
    tenants = loaded;
  }

  function reload(): void {
    load().catch((thrown: unknown) =>
      log.warn('the budgets could not be read again', { reason: asError(thrown).message }),
    );
  }

  const find = (tenantId: string, id: string) => tenants.get(tenantId)?.find((budget) => budget.id === id);

  return {
    async start() {
      stopListening = await notifications.listen(BUDGET_CHANNEL, {
        // What is left of budgets is told here as well; only their rules are kept in memory.
        heard: (payload) => {
          if (payload === 'rules') reload();
        },
        missed: reload,
      });
      await load();
    },
    stop: () => stopListening?.(),
    of: (tenantId) => tenants.get(tenantId) ?? NONE,
    get isEmpty() {
      return tenants.size === 0;
    },
    find,
    async set(tenantId, id, document, by) {
      const at = new Date(clock.now());
      const { limit, window, subject = null, ...same } = document;
      await database
        .tenant(tenantId)
        .transaction()
        .execute(async (trx) => {
          const values = { ...same, subject, span: window, cap: String(limit), changed_at: at, changed_by: by };
          const before = await trx
            .selectFrom('budgets')
            .select(['scope', 'subject', 'dimension', 'span', 'zone'])
            .where('tenant_id', '=', tenantId)
            .where('id', '=', id)
            .forUpdate()
            .executeTakeFirst();
          if (before !== undefined && !isAlike(before, values)) throw otherBudget(id);
          await trx
            .insertInto('budgets')
            .values({ tenant_id: tenantId, id, ...values })
            .onConflict((conflict) => conflict.columns(['tenant_id', 'id']).doUpdateSet(values))
            .execute();
          await keep(trx, { tenantId, id, kind: 'set', by, at, content: { ...document } as unknown as JsonObject });
        });
      await load();
      notifications.announce(BUDGET_CHANNEL, 'rules', 'rules');
      const written = find(tenantId, id);
      if (written === undefined) throw new AosError('conflict', `The budget "${id}" was removed by somebody else.`);
      return written;
    },
    async remove(tenantId, id, by) {
      const removed = await database
        .tenant(tenantId)
        .transaction()
        .execute(async (trx) => {
          const { numDeletedRows } = await trx
            .deleteFrom('budgets')
            .where('tenant_id', '=', tenantId)
            .where('id', '=', id)
            .executeTakeFirst();
          if (numDeletedRows === 0n) return false;
          await keep(trx, { tenantId, id, kind: 'removed', by, at: new Date(clock.now()), content: null });
          return true;
        });
      if (removed) {
        await load();
        notifications.announce(BUDGET_CHANNEL, 'rules', 'rules');
      }
      return removed;
    },
    async changes(tenantId, id, limit) {
      const rows = await database
        .tenant(tenantId)
        .selectFrom('budget_changes')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .where('budget_id', '=', id)
        .orderBy('number', 'desc')
        .limit(limit)
        .execute();
      return rows.map(({ kind, account, amount, by, at, content }) => ({
        kind: kind as BudgetChange['kind'],
        account,
        amount: amount === null ? null : Number(amount),
        by,
        at: at.toISOString(),
        content,
      }));
    },
  };

  async function keep(
    trx: StoreScope,
    change: { tenantId: string; id: string; kind: 'set' | 'removed'; by: string; at: Date; content: JsonObject | null },
  ): Promise<void> {
    const { tenantId, id, kind, by, at, content } = change;
    await trx
      .insertInto('budget_changes')
      .values({
        tenant_id: tenantId,
        budget_id: id,
        kind,
        account: null,
        amount: null,
        key: null,
        by,
        at,
        content: content === null ? null : JSON.stringify(content),
      })
      .execute();
    const data = { budget_id: id, changed_by: by, ...(content !== null && { budget: content }) };
    await feed.write(trx, { tenantId, type: `budget.${kind}`, subject: id, data });
  }
}

/** What was spent was counted by these: a budget that counts otherwise is another one. */
function isAlike(
  before: Pick<Selectable<BudgetTable>, 'scope' | 'subject' | 'dimension' | 'span' | 'zone'>,
  now: typeof before,
): boolean {
  return (['scope', 'subject', 'dimension', 'span', 'zone'] as const).every((name) => before[name] === now[name]);
}

function otherBudget(id: string): AosError {
  return new AosError(
    'conflict',
    `There is a budget "${id}" that counts something else, and what was spent of it cannot be counted anew: only its ` +
      'limit, unpriced and description can be changed. Remove it first, or write this one under another id.',
    { reason: 'BUDGET_EXISTS' },
  );
}

function toBudget(row: Selectable<BudgetTable>): Budget {
  const { tenant_id: tenantId, id, scope, subject, dimension, span: window, zone, cap, unpriced, description } = row;
  const document = { scope, subject, dimension, window, zone, limit: Number(cap), unpriced, description };
  return { ...budgetSchema.parse(document), subject, id, tenantId };
}
