/**
 * What an action is in SQL. A change becomes one row of a staging table (it is `accepted`: whoever empties the table does
 * it), and since the row's id is the idempotency key, it is one row however often the statement runs. A read becomes a
 * selection of the tenant's rows. Values are bound, names are checked; nobody's text becomes SQL. The statements are of
 * the kind that Snowflake, BigQuery and PostgreSQL all understand.
 */
import { z } from 'zod';
import { isReading } from './action.ts';
import type { TableBinding } from './binding.ts';
import { ConnectorError, type RoutedAction } from './connector.ts';
import { keyUuid, stagingRow } from './message.ts';

export type BoundValue = string | number | boolean | null;

export interface Statement {
  /** With `?` where a value goes. */
  readonly text: string;
  readonly values: readonly BoundValue[];
}

export const warehouseColumns = {
  /** Whose rows they are; null when the warehouse is one tenant's alone. */
  tenant_column: z.string().nullable().default('tenant_id'),
  /** What an action's entity id is compared with. */
  entity_column: z.string().default('entity_id'),
};
export interface WarehouseColumns {
  readonly tenant_column: string | null;
  readonly entity_column: string;
}

const MAX_ROWS = 1_000;
const DEFAULT_ROWS = 100;

const selection = z.strictObject({
  columns: z.array(z.string()).min(1).max(200).optional(),
  where: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).default({}),
  order_by: z.string().optional(),
  descending: z.boolean().default(false),
  limit: z.int().min(1).max(MAX_ROWS).default(DEFAULT_ROWS),
});

/** @throws ConnectorError `invalid` for an action or a binding that is no statement */
export function statementOf(
  action: RoutedAction,
  binding: TableBinding,
  idempotencyKey: string,
  columns: WarehouseColumns,
): Statement {
  if (binding.operation !== 'SELECT') return staging(action, binding, idempotencyKey);
  if (!isReading(action.type)) throw invalid(`a ${action.type} cannot be bound to SELECT: correct the route's binding`);
  return selecting(action, binding.table, columns);
}

/** Asks whether a staging row is there. */
export function stagingQuery(binding: TableBinding, idempotencyKey: string): Statement {
  const text = `SELECT COUNT(*) AS found FROM ${nameOf(binding.table)} WHERE id = ?`;
  return { text, values: [keyUuid(idempotencyKey)] };
}

/** UPSERT brings a row that is there and still waiting up to date; INSERT leaves it as it is. */
function staging(action: RoutedAction, { table, operation }: TableBinding, idempotencyKey: string): Statement {
  const row = stagingRow(action, idempotencyKey);
  const names = Object.keys(row);
  const source = names.map((name) => (name === 'created_at' ? `CAST(? AS TIMESTAMP) AS ${name}` : `? AS ${name}`));
  const renewed = names.filter((name) => !['id', 'status'].includes(name)).map((name) => `${name} = s.${name}`);
  const renewal = `WHEN MATCHED AND t.status = 'pending_sync' THEN UPDATE SET ${renewed.join(', ')} `;
  return {
    text:
      `MERGE INTO ${nameOf(table)} t USING (SELECT ${source.join(', ')}) s ON t.id = s.id ` +
      (operation === 'UPSERT' ? renewal : '') +
      `WHEN NOT MATCHED THEN INSERT (${names.join(', ')}) VALUES (${names.map((name) => `s.${name}`).join(', ')})`,
    values: Object.values(row),
  };
}

function selecting(action: RoutedAction, table: string, columns: WarehouseColumns): Statement {
  const asked = selection.safeParse(action.data);
  if (!asked.success) {
    const [issue] = asked.error.issues;
    throw invalid(`data.${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a selection'}`);
  }
  const { columns: wanted, where, order_by: order, descending, limit } = asked.data;
  const equals = new Map<string, BoundValue>(Object.entries(where));
  if (action.entityId !== undefined) equals.set(columns.entity_column, action.entityId);
  // Last, so that no condition of the caller's names another tenant.
  if (columns.tenant_column !== null) {
    for (const name of equals.keys()) {
      if (name.toLowerCase() === columns.tenant_column.toLowerCase()) equals.delete(name);
    }
    equals.set(columns.tenant_column, action.tenantId);
  }
  const conditions = [...equals].map(([name, value]) => `${nameOf(name, 1)} ${value === null ? 'IS NULL' : '= ?'}`);
  return {
    text: [
      `SELECT ${wanted?.map((name) => nameOf(name, 1)).join(', ') ?? '*'} FROM ${nameOf(table)}`,
      conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '',
      order === undefined ? '' : `ORDER BY ${nameOf(order, 1)}${descending ? ' DESC' : ''}`,
      `LIMIT ${limit}`,
    ]
      .filter((part) => part !== '')
      .join(' '),
    values: [...equals.values()].filter((value) => value !== null),
  };
}

/** A name of up to three parts, `database.schema.table`. @throws ConnectorError `invalid` */
function nameOf(text: string, parts = 3): string {
  const names = text.split('.');
  if (names.length <= parts && names.every((name) => /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name))) return text;
  throw invalid(`"${text.slice(0, 100)}" is no name of a ${parts === 1 ? 'column' : 'table'}`);
}

function invalid(message: string): ConnectorError {
  return new ConnectorError('invalid', message, { vendorCode: 'STATEMENT' });
}
