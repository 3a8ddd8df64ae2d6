/** The limits that hold for each tenant, among the documents of governance. */
import type { Clock } from '../../core/clock.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Database } from '../../store/database.ts';
import type { Log } from '../../telemetry/log.ts';
import { createDocumentBook, type DocumentBook } from '../document-book.ts';
import { defaultLimits, type Limits, readLimits } from './limit-document.ts';

export interface LimitBook extends Pick<DocumentBook<'limits', Limits>, 'start' | 'stop' | 'of'> {
  /**
   * Replaces the limits of a tenant, here at once and in other processes with the next word from the database. Quotas
   * hold everywhere at once: they are checked there.
   * @throws AosError invalid_request with every fault
   */
  replace(tenantId: string, given: JsonObject, by: string): Promise<Limits>;
}

export interface LimitBookParts {
  readonly database: Pick<Database, 'db' | 'tenant' | 'notifications'>;
  readonly clock: Clock;
  readonly log: Log;
}

export function createLimitBook({ database, clock, log }: LimitBookParts): LimitBook {
  const book = createDocumentBook<'limits', Limits>({
    database,
    kinds: ['limits'],
    otherwise: defaultLimits,
    read: (_before, _kind, content) => readLimits(content),
    unreadable: (kept) => kept,
    clock,
    log,
  });
  const { start, stop, of } = book;
  return {
    start,
    stop,
    of,
    async replace(tenantId, given, by) {
      const limits = readLimits(given);
      const { document, hash } = limits;
      // With everything filled in: the database reads the quotas from it.
      const content = document as unknown as JsonObject;
      return book.write(tenantId, { kind: 'limits', hash, content, by }, limits);
    },
  };
}
