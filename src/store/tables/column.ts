/**
 * Kinds of columns. JSON is stored in `json` columns, not `jsonb`: what comes out is byte for byte what went in, also
 * members' order and U+0000, which models do produce.
 */
import type { ColumnType } from 'kysely';
import type { JsonValue } from '../../core/json.ts';

/** Reads as a value, is written as JSON text (`JSON.stringify`). */
export type Json<T extends JsonValue> = ColumnType<T, string, string>;
export type OptionalJson<T extends JsonValue> = ColumnType<T | null, string | null | undefined, string | null>;
