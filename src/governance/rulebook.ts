/**
 * The rules that hold: a matrix and a policy for each tenant. They come from files at the start, and a tenant may have
 * documents of its own in their place.
 */
import type { Clock } from '../core/clock.ts';
import type { JsonObject } from '../core/json.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import { createDocumentBook, type DocumentBook } from './document-book.ts';
import type { ConditionCompiler } from './policy/condition.ts';
import { createPolicy, type Policy } from './policy/policy.ts';
import type { Matrix } from './raci/matrix.ts';
import { readMatrix } from './raci/matrix-rules.ts';

export interface Rules {
  readonly matrix: Matrix;
  readonly policy: Policy;
}

export const documentKinds = ['raci', 'policy'] as const;
export type DocumentKind = (typeof documentKinds)[number];

/** The rules of a tenant are its own, else those of the server. */
export interface Rulebook extends Omit<DocumentBook<DocumentKind, Rules>, 'write'> {
  /**
   * Replaces a document of a tenant, here at once and in other processes with the next word from the database.
   * @throws AosError invalid_request with every fault
   */
  replace(tenantId: string, kind: DocumentKind, given: JsonObject, by: string): Promise<Rules>;
  /**
   * A document as rules, which do not hold yet.
   * @throws AosError invalid_request with every fault
   */
  read(kind: DocumentKind, given: JsonObject): Partial<Rules>;
}

export interface RulebookParts {
  readonly database: Database;
  /** What holds where a tenant has nothing of its own. */
  readonly rules: Rules;
  readonly conditions: ConditionCompiler;
  /** Names of the actions there are: for each of them somebody must answer. */
  readonly actions: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

export function createRulebook(parts: RulebookParts): Rulebook {
  const { database, rules, conditions, actions, clock, log } = parts;

  function read(kind: DocumentKind, given: JsonObject): Partial<Rules> {
    return kind === 'raci'
      ? { matrix: readMatrix(given, actions, 'the matrix') }
      : { policy: createPolicy(given, conditions, 'the policy') };
  }

  const book = createDocumentBook<DocumentKind, Rules>({
    database,
    kinds: documentKinds,
    otherwise: rules,
    read: (before, kind, content) => ({ ...before, ...read(kind, content) }),
    unreadable: (kept) => kept,
    clock,
    log,
  });
  const { start, stop, of, history } = book;
  return {
    start,
    stop,
    of,
    history,
    read,
    async replace(tenantId, kind, given, by) {
      const replaced = { ...of(tenantId), ...read(kind, given) };
      const { hash } = kind === 'raci' ? replaced.matrix : replaced.policy;
      return book.write(tenantId, { kind, hash, content: given, by }, replaced);
    },
  };
}
