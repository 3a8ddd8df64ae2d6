import type { Generated } from 'kysely';
import type { JsonObject } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { OptionalJson } from './column.ts';

/** Events of runs that the audit log tells. */
export const auditedEvents = [
  'run.queued',
  'run.started',
  'run.stopped',
  'run.cancel_requested',
  'run.completed',
  'run.failed',
  'run.cancelled',
  'run.timed_out',
  'tool.called',
  'governance.decided',
  'approval.requested',
  'approval.voted',
  'approval.decided',
  'approval.escalated',
] as const;

/** Facts of the feed that the audit log tells. */
export const auditedFacts = [
  'task.submitted',
  'task.assigned',
  'task.started',
  'task.completed',
  'task.failed',
  'task.retrying',
  'task.dead',
  'task.cancelled',
  'job.created',
  'job.changed',
  'job.paused',
  'job.resumed',
  'job.cancelled',
  'job.completed',
  'job.failed',
  'job.triggered',
  'job.fired',
  'job.skipped',
  'job.missed',
  'approval.cancelled',
  'pool.scaled',
  'route.routed',
  'route.fallback',
  'route.blocked',
  'route.failed',
  'route.waiting',
  'route.unknown',
  'route.settled',
  'fabric.preset_changed',
  'fabric.route_changed',
  'plane.down',
  'plane.up',
] as const;

/**
 * What happened and is to be told, written in the transaction in which it happened: an event of a run or a fact of the
 * feed (by triggers), or an entry of its own (`type` is `entry`). It waits here until the log gives it its number.
 */
export interface AuditFactTable {
  pos: Generated<string>;
  tenant_id: string;
  type: string;
  /** Id of what it happened to: run, task, job …; '' for none. */
  subject: string;
  /** Of an event: number and hash in its run's log. */
  seq: number | null;
  hash: string | null;
  at: Date;
  /** `user:<id>`, `agent:<id>`, `system` …; null for facts of the feed, which do not say. */
  actor: string | null;
  /** Whose it is, for facts of the feed and entries; '' for nobody's in particular. */
  user_id: string;
  trace_id: string | null;
  data: OptionalJson<JsonObject>;
}

/** Where the log of a tenant ends. Whoever continues it holds the lock of this row. */
export interface AuditHeadTable {
  tenant_id: string;
  size: string;
  hash: string;
  /** The roots of the perfect subtrees of the Merkle tree, largest first. */
  range: string[];
}

export interface AuditEntryTable {
  tenant_id: string;
  seq: string;
  hash: string;
  action: string;
  at: Date;
  task_id: string | null;
  agent_id: string | null;
  run_id: string | null;
  /** Reference of the person whose work it belongs to, for what users may see; not part of the entry. */
  owner: string | null;
  /** The entry as it was hashed: canonical JSON without `hash`. */
  body: string;
}

export interface AuditCheckpointTable {
  tenant_id: string;
  size: string;
  at: Date;
  /** The signed note. */
  note: string;
  range: string[];
}

/** Who is behind a reference in entries; a person is forgotten by deleting their row. */
export interface AuditPersonTable {
  tenant_id: string;
  reference: string;
  name: string;
  salt: string;
}

const listed = (types: readonly string[]) => types.map((type) => `'${type}'`).join(', ');

export const auditMigrations: readonly Migration[] = [
  {
    name: '012-audit',
    sql: `
      create table aos.audit_facts (
        pos bigint generated always as identity primary key,
        tenant_id text not null,
        type text not null,
        subject text not null,
        seq integer,
        hash text,
        at timestamptz not null,
        actor text,
        user_id text not null default '',
        trace_id text,
        data json
      );
      create index audit_facts_tenant on aos.audit_facts (tenant_id, pos);

      create table aos.audit_heads (
        tenant_id text primary key,
        size bigint not null default 0,
        hash text not null default repeat('0', 64),
        range text[] not null default '{}'
      );

      create table aos.audit_entries (
        tenant_id text not null,
        seq bigint not null,
        hash text not null,
        action text not null,
        at timestamptz not null,
        task_id text,
        agent_id text,
        run_id text,
        owner text,
        body text not null,
        primary key (tenant_id, seq)
      );
      create index audit_entries_task on aos.audit_entries (tenant_id, task_id, seq) where task_id is not null;
      create index audit_entries_run on aos.audit_entries (tenant_id, run_id, seq) where run_id is not null;
      create index audit_entries_agent on aos.audit_entries (tenant_id, agent_id, seq) where agent_id is not null;
      create index audit_entries_action on aos.audit_entries (tenant_id, action, seq);
      create index audit_entries_owner on aos.audit_entries (tenant_id, owner, seq) where owner is not null;

      create table aos.audit_checkpoints (
        tenant_id text not null,
        size bigint not null,
        at timestamptz not null,
        note text not null,
        range text[] not null,
        primary key (tenant_id, size)
      );

      create table aos.audit_people (
        tenant_id text not null,
        reference text not null,
        name text not null,
        salt text not null,
        primary key (tenant_id, reference),
        unique (tenant_id, name)
      );

      -- Every event and every fact of these types is told, whoever writes it and however. Nothing is locked here: the
      -- log is continued after the commit (see seal_audit), so writers never wait for one another, nor in a circle.
      create function aos.note_audited_event() returns trigger language plpgsql as $$
      begin
        insert into aos.audit_facts (tenant_id, type, subject, seq, hash, at, actor, trace_id)
          values (new.tenant_id, new.type, new.run_id, new.seq, new.hash, new.at, new.actor, new.trace_id);
        return null;
      end $$;
      create trigger audited after insert on aos.run_events for each row
        when (new.type in (${listed(auditedEvents)})) execute function aos.note_audited_event();

      create function aos.note_audited_fact() returns trigger language plpgsql as $$
      begin
        insert into aos.audit_facts (tenant_id, type, subject, at, user_id, data)
          values (new.tenant_id, new.type, new.subject, new.at, new.user_id, new.data);
        return null;
      end $$;
      create trigger audited after insert on aos.feed for each row
        when (new.type in (${listed(auditedFacts)})) execute function aos.note_audited_fact();

      -- The end of a tenant's log, locked: whoever continues it comes one after the other.
      create function aos.lock_audit(p_tenant text) returns setof aos.audit_heads language plpgsql as $$
      begin
        insert into aos.audit_heads (tenant_id) values (p_tenant) on conflict do nothing;
        return query select h.* from aos.audit_heads h where h.tenant_id = p_tenant for update;
      end $$;

      -- Puts entries behind a log of p_size entries, in place of the facts they were made of.
      create function aos.seal_audit(
        p_tenant text, p_size bigint, p_facts bigint[], p_entries json, p_new_size bigint, p_hash text, p_range text[]
      ) returns void language plpgsql as $$
      begin
        insert into aos.audit_entries (tenant_id, seq, hash, action, at, task_id, agent_id, run_id, owner, body)
          select p_tenant, e.seq, e.hash, e.action, e.at, e.task_id, e.agent_id, e.run_id, e.owner, e.body
            from json_to_recordset(p_entries) as e (seq bigint, hash text, action text, at timestamptz, task_id text,
              agent_id text, run_id text, owner text, body text);
        perform set_config('aos.audit_sealing', 'on', true);
        delete from aos.audit_facts where pos = any (p_facts) and tenant_id = p_tenant;
        perform set_config('aos.audit_sealing', '', true);
        update aos.audit_heads set size = p_new_size, hash = p_hash, range = p_range
          where tenant_id = p_tenant and size = p_size;
        if not found then raise exception 'the audit log of % does not end at %', p_tenant, p_size; end if;
      end $$;

      create function aos.refuse_audit_change() returns trigger language plpgsql as $$
      begin
        raise exception 'the audit log is only ever continued: % of % is refused', tg_op, tg_table_name
          using errcode = 'restrict_violation';
      end $$;
      create function aos.guard_audit_fact() returns trigger language plpgsql as $$
      begin
        if coalesce(current_setting('aos.audit_sealing', true), '') <> 'on' then
          raise exception 'what is to be told in the audit log cannot be taken back'
            using errcode = 'restrict_violation';
        end if;
        return null;
      end $$;
      create function aos.guard_audit_head() returns trigger language plpgsql as $$
      begin
        if new.tenant_id <> old.tenant_id or new.size < old.size then
          raise exception 'the audit log of % cannot become shorter', old.tenant_id using errcode = 'restrict_violation';
        end if;
        return new;
      end $$;
      create trigger append_only before update or delete or truncate on aos.audit_entries
        execute function aos.refuse_audit_change();
      create trigger append_only before update or delete or truncate on aos.audit_checkpoints
        execute function aos.refuse_audit_change();
      create trigger append_only before update or truncate on aos.audit_facts execute function aos.refuse_audit_change();
      create trigger sealed_only before delete on aos.audit_facts execute function aos.guard_audit_fact();
      create trigger grows before update on aos.audit_heads for each row execute function aos.guard_audit_head();
      create trigger stays before delete or truncate on aos.audit_heads execute function aos.refuse_audit_change();
      -- A person is forgotten by deleting their row; nobody becomes somebody else.
      create trigger append_only before update or truncate on aos.audit_people
        execute function aos.refuse_audit_change();`,
  },
];
