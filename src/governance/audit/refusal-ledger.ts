/** Refused callers in the audit log: the entry `AUTH_FAIL`, without a word of what they presented. */
import type { Kysely } from 'kysely';
import { asError } from '../../core/errors.ts';
import type { RefusalNotice } from '../../identity/refusal-notice.ts';
import { DEFAULT_TENANT } from '../../runs/run.ts';
import type { Schema } from '../../store/schema.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Audit } from './audit.ts';

export interface RefusalLedgerParts {
  readonly audit: Pick<Audit, 'write'>;
  readonly db: Kysely<Schema>;
  readonly log: Log;
}

/** @returns what takes a notice; writing it is nothing that a caller waits for */
export function createRefusalLedger({ audit, db, log }: RefusalLedgerParts): (notice: RefusalNotice) => void {
  async function write({ why, address, principal, need, count }: RefusalNotice): Promise<void> {
    const { tenantId = DEFAULT_TENANT, userId = '' } = principal?.caller ?? {};
    await audit.write(db, {
      // Who is not known belongs to no tenant; the first one is that of whoever runs the server.
      tenantId,
      action: 'AUTH_FAIL',
      outcome: 'denied',
      actor: { type: 'user', id: userId === '' ? 'anonymous' : userId },
      reason: why,
      owner: userId,
      // An address may be a person's: like a name it becomes a reference that can be forgotten.
      people: { address: address === '' ? 'unknown' : address },
      details: { count, ...(need !== undefined && { what: need.what, right: need.access }) },
    });
  }

  return (notice) => {
    log.warn('a caller was not let in', { why: notice.why, what: notice.need?.what, count: notice.count });
    write(notice).catch((thrown: unknown) => {
      log.error('a refused caller could not be written into the audit log', { error: asError(thrown) });
    });
  };
}
