import type { Generated } from 'kysely';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json, OptionalJson } from './column.ts';

/** An agent that somebody put into the directory of a tenant, and how it was when it was last asked. */
export interface AgentCardTable {
  tenant_id: string;
  agent_id: string;
  /** Who registered it; '' for nobody's in particular. */
  user_id: string;
  card: Json<JsonObject>;
  health: string;
  health_detail: string | null;
  checked_at: Date | null;
  /** When it is to be asked next; null for one that cannot be. */
  probe_at: Date | null;
  registered_at: Date;
  updated_at: Date;
}

/** Where the numbering of an agent's inbox stands. Its lock puts the letters to the agent in the order of commits. */
export interface AgentInboxTable {
  tenant_id: string;
  agent_id: string;
  last: string;
}

/** A message to an agent. */
export interface AgentMessageTable {
  tenant_id: string;
  id: string;
  /** Number in the inbox of `to_agent`. */
  seq: string;
  /** Whose work it belongs to. */
  user_id: string;
  type: string;
  from_agent: string;
  to_agent: string;
  correlation_id: string;
  in_reply_to: string | null;
  payload: Json<JsonObject>;
  metadata: Json<JsonObject>;
  fabric: Json<JsonObject>;
  /** What screening found in it. */
  scan: OptionalJson<JsonObject>;
  /** SHA-256 of what was sent, hex; '' for what this server wrote itself. */
  request_hash: string;
  created_at: Date;
  expires_at: Date | null;
  delegation_id: string | null;
  context_id: string | null;
  /** The task that answers it. */
  task_id: string | null;
  /** Whether the answer that was asked for is there. */
  answered: Generated<boolean>;
}

export interface DelegationTable {
  id: string;
  /** Order of asking. */
  number: Generated<string>;
  tenant_id: string;
  user_id: string;
  from_agent: string;
  to_agent: string;
  capability: string;
  kind: string;
  priority: number;
  status: string;
  input: Json<JsonValue>;
  context: Json<JsonObject>;
  reason: string | null;
  shared_state: Json<JsonObject>;
  /** The agents that handed it on, from the first to `from_agent`. */
  chain: string[];
  max_steps: number | null;
  max_cost_usd: number | null;
  timeout_seconds: number;
  correlation_id: string;
  message_id: string;
  parent_delegation_id: string | null;
  /** The run that handed it on, whose child its run is. */
  parent_run_id: string | null;
  /** The task that does it, for an agent of this server. */
  task_id: string | null;
  fabric: Json<JsonObject>;
  scan: OptionalJson<JsonObject>;
  created_at: Date;
  accept_by: Date;
  deadline_at: Date;
  accepted_at: Date | null;
  completed_at: Date | null;
  result: OptionalJson<JsonValue>;
  output_context: OptionalJson<JsonObject>;
  error_code: string | null;
  error: string | null;
  tokens_used: number | null;
  cost_usd: number | null;
  steps_executed: number | null;
}

/** What an agent gave to another to know. */
export interface SharedContextTable {
  tenant_id: string;
  id: string;
  user_id: string;
  from_agent: string;
  to_agent: string;
  correlation_id: string;
  context: Json<JsonObject>;
  scan: OptionalJson<JsonObject>;
  version: number;
  created_at: Date;
  updated_at: Date;
  expires_at: Date | null;
}

export const delegationMigrations: readonly Migration[] = [
  {
    name: '025-delegation',
    sql: `
      create table aos.agent_cards (
        tenant_id text not null,
        agent_id text not null,
        user_id text not null,
        card json not null,
        health text not null,
        health_detail text,
        checked_at timestamptz,
        probe_at timestamptz,
        registered_at timestamptz not null,
        updated_at timestamptz not null,
        primary key (tenant_id, agent_id)
      );
      create index agent_cards_probe on aos.agent_cards (probe_at) where probe_at is not null;

      create table aos.agent_inboxes (
        tenant_id text not null,
        agent_id text not null,
        last bigint not null,
        primary key (tenant_id, agent_id)
      );

      create table aos.agent_messages (
        tenant_id text not null,
        id text not null,
        seq bigint not null,
        user_id text not null,
        type text not null,
        from_agent text not null,
        to_agent text not null,
        correlation_id text not null,
        in_reply_to text,
        payload json not null,
        metadata json not null,
        fabric json not null,
        scan json,
        request_hash text not null,
        created_at timestamptz not null,
        expires_at timestamptz,
        delegation_id text,
        context_id text,
        task_id text,
        answered boolean not null default false,
        primary key (tenant_id, id)
      );
      create unique index agent_messages_inbox on aos.agent_messages (tenant_id, to_agent, seq);
      create index agent_messages_reply on aos.agent_messages (tenant_id, in_reply_to) where in_reply_to is not null;
      create index agent_messages_open on aos.agent_messages (task_id) where task_id is not null and not answered;
      create index agent_messages_age on aos.agent_messages (created_at);

      create table aos.delegations (
        id text primary key,
        number bigint generated always as identity,
        tenant_id text not null,
        user_id text not null,
        from_agent text not null,
        to_agent text not null,
        capability text not null,
        kind text not null,
        priority smallint not null,
        status text not null,
        input json not null,
        context json not null,
        reason text,
        shared_state json not null,
        chain text[] not null,
        max_steps integer,
        max_cost_usd double precision,
        timeout_seconds double precision not null,
        correlation_id text not null,
        message_id text not null,
        parent_delegation_id text,
        parent_run_id text,
        task_id text,
        fabric json not null,
        scan json,
        created_at timestamptz not null,
        accept_by timestamptz not null,
        deadline_at timestamptz not null,
        accepted_at timestamptz,
        completed_at timestamptz,
        result json,
        output_context json,
        error_code text,
        error text,
        tokens_used integer,
        cost_usd double precision,
        steps_executed integer
      );
      create index delegations_sent on aos.delegations (tenant_id, from_agent, number desc);
      create index delegations_received on aos.delegations (tenant_id, to_agent, number desc);
      create index delegations_message on aos.delegations (tenant_id, message_id);
      create index delegations_parent on aos.delegations (parent_delegation_id) where parent_delegation_id is not null;
      create index delegations_open on aos.delegations (deadline_at) where completed_at is null;

      create table aos.shared_contexts (
        tenant_id text not null,
        id text not null,
        user_id text not null,
        from_agent text not null,
        to_agent text not null,
        correlation_id text not null,
        context json not null,
        scan json,
        version integer not null,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        expires_at timestamptz,
        primary key (tenant_id, id)
      );
      create index shared_contexts_known on aos.shared_contexts (tenant_id, to_agent, correlation_id);

      -- The run that an attempt at the task is a child of.
      alter table aos.tasks add column parent_run_id text;

      -- The next number in the inbox of an agent. Whoever writes to the same inbox waits for the commit.
      create function aos.next_letter(p_tenant text, p_agent text) returns bigint language sql as $$
        insert into aos.agent_inboxes as i (tenant_id, agent_id, last) values (p_tenant, p_agent, 1)
          on conflict (tenant_id, agent_id) do update set last = i.last + 1
        returning last
      $$;

      select aos.protect_tenant_rows(t)
        from unnest(array['agent_cards', 'agent_inboxes', 'agent_messages', 'delegations', 'shared_contexts']) t;`,
  },
];
