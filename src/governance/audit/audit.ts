/**
 * The audit log: whoever changes something writes its entry in the same transaction, most of them without knowing (the
 * database notes audited events and facts by itself); the log is continued in the background and whenever somebody reads
 * it, and is signed from time to time.
 */
import { sql } from 'kysely';
import { type Clock, isoTime, type Timer } from '../../core/clock.ts';
import { AosError, asError } from '../../core/errors.ts';
import type { Database, StoreScope } from '../../store/database.ts';
import { isConnectionFailure } from '../../store/persist.ts';
import type { Log } from '../../telemetry/log.ts';
import { type CheckpointSigner, originOf } from './checkpoint.ts';
import type { Actor } from './entry.ts';
import type { Draft } from './fact.ts';
import { rootOf } from './merkle.ts';
import { forget, type Person, recall } from './person.ts';
import { blueprintResponsibility } from './responsibility.ts';
import { createSealer, type Head, type Sealer, type Surroundings } from './sealer.ts';
import { createTrail, type KeptCheckpoint, type Trail } from './trail.ts';

/** How soon the log is continued when nobody reads it. */
const PACE_MS = 500;
const CHECKPOINT_MS = 60_000;
const CHECKPOINT_ENTRIES = 1000;

/** An entry as its writer gives it; who answers for it and the plane are filled in unless it says so itself. */
export type NewAuditEntry = Omit<Draft, 'timestamp'> & {
  readonly tenantId: string;
  /** ISO-8601 UTC; by default now. */
  readonly timestamp?: string;
};

export interface Audit {
  /**
   * Writes an entry as part of the transaction of the change it describes: it is told if and only if that commits. A
   * failure fails the transaction. Names of people belong in `actor`, `people` and `owner`, where they become
   * references; nothing else of an entry may be about a person.
   */
  write(within: StoreScope, entry: NewAuditEntry): Promise<void>;
  /** Continues the log with all that was committed before. */
  seal(tenantId: string): Promise<Head>;
  readonly trail: Trail;
  /** Who is behind references, of those not forgotten. */
  people(tenantId: string, references: Iterable<string>): Promise<readonly Person[]>;
  /**
   * Forgets a person: entries keep their references, which say nothing any more, and one more says that `by` did it.
   * @returns whether they were known
   */
  forget(tenantId: string, name: string, by?: Actor): Promise<boolean>;
  /**
   * Signs the log as it is now.
   * @throws AosError not_supported when this server has no key
   */
  checkpoint(tenantId: string): Promise<KeptCheckpoint>;
  /** What happened and has no place in the log yet, of all tenants. */
  backlog: Sealer['backlog'];
  /** What verifies the checkpoints of this server; undefined when it has no key. */
  readonly verifierKey: string | undefined;
  start(): Promise<void>;
  /** Continues and signs all logs once more. */
  stop(): Promise<void>;
}

export interface AuditParts {
  readonly database: Pick<Database, 'db' | 'tenant'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signer?: CheckpointSigner | undefined;
  /** Gets every checkpoint, to keep it elsewhere. */
  readonly onCheckpoint?: (tenantId: string, checkpoint: KeptCheckpoint) => void;
  /** Who answers for what at a tenant; the blueprint's matrix says so when left out. */
  readonly responsibility?: Surroundings['responsibility'];
  readonly plane?: Surroundings['plane'];
  /** Whether all that happens on this database is simulated; every entry says so then. */
  readonly simulation?: boolean | undefined;
}

export function createAudit(parts: AuditParts): Audit {
  const { clock, log, signer, onCheckpoint } = parts;
  const { db, tenant } = parts.database;
  const surroundings: Surroundings = {
    responsibility: parts.responsibility ?? ((_tenantId, { action }) => blueprintResponsibility(action)),
    plane: parts.plane ?? (() => undefined),
    simulation: parts.simulation ?? false,
  };
  const sealer = createSealer({ db, surroundings });
  const trail = createTrail(tenant);
  let timer: Timer | undefined;
  let turn: Promise<void> = Promise.resolve();

  async function sign(tenantId: string, { size, range }: Head): Promise<KeptCheckpoint> {
    if (signer === undefined) {
      throw new AosError(
        'conflict',
        'This server has no key to sign audit checkpoints with: set AOS_AUDIT_KEY_FILE, or a data directory.',
        { reason: 'NO_AUDIT_KEY' },
      );
    }
    const at = isoTime(clock.now());
    const note = signer.sign({ origin: originOf(tenantId), size, root: rootOf(range) });
    if (size === 0) return { size, at, note };
    const { numInsertedOrUpdatedRows: written } = await db
      .insertInto('audit_checkpoints')
      .values({ tenant_id: tenantId, size: String(size), at: new Date(at), note, range: [...range] })
      .onConflict((conflict) => conflict.columns(['tenant_id', 'size']).doNothing())
      .executeTakeFirst();
    const checkpoint = { size, at, note };
    if (written === 1n) onCheckpoint?.(tenantId, checkpoint);
    return checkpoint;
  }

  /** Signs the logs whose last checkpoint is long ago. */
  async function signGrown(atLeast: number, olderThan: number): Promise<void> {
    if (signer === undefined) return;
    const { rows } = await sql<{ tenant_id: string; size: string; hash: string; range: string[] }>`
      select h.tenant_id, h.size, h.hash, h.range from aos.audit_heads h left join lateral (
          select c.size, c.at from aos.audit_checkpoints c where c.tenant_id = h.tenant_id order by c.size desc limit 1
        ) c on true
       where h.size > coalesce(c.size, 0)
         and (h.size - coalesce(c.size, 0) >= ${atLeast} or coalesce(c.at <= ${new Date(olderThan)}, true))`.execute(
      db,
    );
    for (const { tenant_id: tenantId, size, hash, range } of rows) {
      await sign(tenantId, { size: Number(size), hash, range });
    }
  }

  async function work(isLast: boolean): Promise<void> {
    try {
      for (const tenantId of await sealer.waiting()) await sealer.seal(tenantId);
      const now = clock.now();
      await (isLast ? signGrown(1, now) : signGrown(CHECKPOINT_ENTRIES, now - CHECKPOINT_MS));
    } catch (failure) {
      // What was not told yet is told at the next turn, or by the next process.
      const level = isConnectionFailure(failure) ? 'warn' : 'error';
      log[level]('the audit log was not continued', { reason: asError(failure).message });
    }
  }

  function next(): void {
    timer = clock.after(PACE_MS, () => {
      turn = work(false).then(() => {
        if (timer !== undefined) next();
      });
    });
  }

  async function write(within: StoreScope, given: NewAuditEntry): Promise<void> {
    const { tenantId, timestamp = isoTime(clock.now()), ...entry } = given;
    const { owner = '' } = entry;
    await within
      .insertInto('audit_facts')
      .values({
        tenant_id: tenantId,
        type: 'entry',
        subject: '',
        seq: null,
        hash: null,
        at: new Date(timestamp),
        actor: null,
        user_id: owner,
        trace_id: entry.trace_id ?? null,
        data: JSON.stringify({ ...entry, timestamp }),
      })
      .execute();
  }

  return {
    trail,
    verifierKey: signer?.verifierKey,
    seal: sealer.seal,
    backlog: sealer.backlog,
    people: (tenantId, references) => recall(tenant(tenantId), tenantId, references),
    write,
    async forget(tenantId, name, actor = { type: 'system', id: 'system' }) {
      // What waits still has the name in it.
      await sealer.seal(tenantId);
      return tenant(tenantId)
        .transaction()
        .execute(async (trx) => {
          const isKnown = await forget(trx, tenantId, name);
          if (isKnown) await write(trx, { tenantId, action: 'PERSON_FORGOTTEN', outcome: 'success', actor });
          return isKnown;
        });
    },
    async checkpoint(tenantId) {
      return sign(tenantId, await sealer.seal(tenantId));
    },
    async start() {
      next();
    },
    async stop() {
      timer?.cancel();
      timer = undefined;
      await turn;
      await work(true);
    },
  };
}
