/** What holds for the personal data of each tenant: its own document, else what the server was started with. */
import type { Clock } from '../../core/clock.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Database } from '../../store/database.ts';
import type { Log } from '../../telemetry/log.ts';
import { createDocumentBook, type DocumentBook, type KeptDocument } from '../document-book.ts';
import type { TenantScreening } from './policy.ts';
import { readScreening, rulesOf, type ScreeningRules } from './screening-document.ts';

export interface ScreeningBook extends Pick<DocumentBook<'screening', ScreeningRules>, 'start' | 'stop' | 'of'> {
  /**
   * Replaces the document of a tenant, here at once. Every version is kept.
   * @throws AosError invalid_request with every fault
   */
  replace(tenantId: string, given: JsonObject, by: string): Promise<ScreeningRules>;
  /** Newest first. */
  history(tenantId: string, limit: number): Promise<readonly KeptDocument<'screening'>[]>;
}

export interface ScreeningBookParts {
  readonly database: Pick<Database, 'db' | 'tenant' | 'notifications'>;
  /** What holds where a tenant has nothing of its own. */
  readonly standard: TenantScreening;
  readonly clock: Clock;
  readonly log: Log;
}

export function createScreeningBook({ database, standard, clock, log }: ScreeningBookParts): ScreeningBook {
  const book = createDocumentBook<'screening', ScreeningRules>({
    database,
    kinds: ['screening'],
    otherwise: rulesOf(standard),
    read: (_before, _kind, content) => readScreening(content),
    // What it wanted is not known: what is known to be strict enough is everything.
    unreadable: () => rulesOf({ policy: { ...standard.policy, action: 'REDACT' }, floor: 'REDACT' }),
    clock,
    log,
  });
  const { start, stop, of } = book;
  return {
    start,
    stop,
    of,
    async replace(tenantId, given, by) {
      const rules = readScreening(given);
      return book.write(tenantId, { kind: 'screening', hash: rules.hash, content: given, by }, rules);
    },
    history: (tenantId, limit) => book.history(tenantId, 'screening', limit),
  };
}
