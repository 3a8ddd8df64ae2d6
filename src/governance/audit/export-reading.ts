/** The lines of an export as they are read back, whoever wrote them: nothing about them is believed. */
import { canonicalJson, isJsonObject, type JsonObject } from '../../core/json.ts';
import { leafHash } from './merkle.ts';

/** What of an entry its place in the log is judged by. */
export interface ReadEntry {
  readonly kind: 'entry';
  readonly line: number;
  readonly seq: number;
  readonly tenantId: string;
  readonly hash: string;
  readonly prevHash: string;
  /** Whether the line says what its hash was made of, in the form in which it was written. */
  readonly isWhole: boolean;
}

export interface ReadBeginning {
  readonly kind: 'beginning';
  readonly line: number;
  readonly tenantId: string;
  readonly after: number;
  readonly prevHash: string;
  readonly range: readonly string[];
  /** Whether it promises a checkpoint at the end. */
  readonly isSigned: boolean;
}

export interface ReadNote {
  readonly kind: 'checkpoint';
  readonly line: number;
  readonly note: string;
}

export interface ReadPerson {
  readonly kind: 'person';
  readonly line: number;
  readonly tenantId: string;
  readonly reference: string;
  readonly name: string;
  readonly salt: string;
}

export interface Unreadable {
  readonly kind: 'unreadable';
  readonly line: number;
}

export type ReadLine = ReadEntry | ReadBeginning | ReadNote | ReadPerson | Unreadable;

const HASH = /^[0-9a-f]{64}$/;

/** @param line counted from 1 */
export function readLine(text: string, line: number): ReadLine {
  const value = parse(text);
  if (value === undefined) return { kind: 'unreadable', line };
  const tenantId = value['tenant_id'];
  if (typeof tenantId !== 'string') return { kind: 'unreadable', line };
  switch (value['event']) {
    case 'RACI_AUDIT': {
      const { seq, hash, prev_hash: prevHash, ...rest } = value;
      if (!isNumber(seq) || typeof hash !== 'string' || typeof prevHash !== 'string') break;
      const body = canonicalJson({ ...rest, seq, prev_hash: prevHash });
      // A line may say the same in another form only where JSON has one: not with a member twice, for one.
      const isWhole = leafHash(body) === hash && canonicalJson(value) === text;
      return { kind: 'entry', line, seq, tenantId, hash, prevHash, isWhole };
    }
    case 'AUDIT_EXPORT': {
      const { after, prev_hash: prevHash, range } = value;
      if (!isNumber(after) || typeof prevHash !== 'string' || !Array.isArray(range)) break;
      const hashes = range.filter((hash) => typeof hash === 'string');
      if (hashes.length !== range.length || !hashes.every((hash) => HASH.test(hash))) break;
      return { kind: 'beginning', line, tenantId, after, prevHash, range: hashes, isSigned: value['signed'] === true };
    }
    case 'AUDIT_CHECKPOINT': {
      const { note } = value;
      if (typeof note === 'string') return { kind: 'checkpoint', line, note };
      break;
    }
    case 'AUDIT_PERSON': {
      const { reference, name, salt } = value;
      if (typeof reference !== 'string' || typeof name !== 'string' || typeof salt !== 'string') break;
      return { kind: 'person', line, tenantId, reference, name, salt };
    }
  }
  return { kind: 'unreadable', line };
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
