import type { Generated } from 'kysely';
import type { JsonObject } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json, OptionalJson } from './column.ts';

/** The preset that a tenant chose. */
export interface FabricContextTable {
  tenant_id: string;
  preset: string;
  changed_by: string;
  changed_at: Date;
  reason: string | null;
}

/** A tenant's own order of planes for one cell of the routing table. */
export interface FabricRouteTable {
  tenant_id: string;
  preset: string;
  target: string;
  action_type: string;
  planes: string[];
  changed_by: string;
  changed_at: Date;
}

/** How a tenant's plane is, as last seen by any process. What it is made of stands in the fabric file. */
export interface FabricPlaneTable {
  tenant_id: string;
  plane: string;
  status: string;
  detail: string | null;
  changed_at: Date;
  checked_at: Date;
}

/** A plane taken down on purpose for a while. */
export interface FabricDrillTable {
  id: string;
  tenant_id: string;
  plane: string;
  started_at: Date;
  until: Date;
  /** When it was called off, or its end was told. */
  ended_at: Date | null;
  started_by: string;
  reason: string | null;
}

export interface FabricActionTable {
  /** Also its idempotency key on the wire. */
  id: string;
  /** Order of asking. */
  number: Generated<string>;
  tenant_id: string;
  user_id: string;
  run_id: string;
  task_id: string | null;
  agent_id: string;
  correlation_id: string;
  target: string;
  action_type: string;
  /** Entity, data and metadata. */
  payload: Json<JsonObject>;
  status: string;
  status_message: string | null;
  /** As it was when the action was submitted. */
  primary_plane_id: string;
  /** As it was when the action was routed. */
  preset: string;
  routed_plane: string | null;
  execution_path: string | null;
  /** Planes that could not, in the order in which they were asked. */
  fallback_from: Generated<string[]>;
  /** Attempts that reached for the wire. */
  attempts: Generated<number>;
  /** The attempt whose outcome is not known: it is under way, or nobody saw its end. */
  in_flight: OptionalJson<JsonObject>;
  result: OptionalJson<JsonObject>;
  error: OptionalJson<JsonObject>;
  /** The wait of its run that is answered to settle it, or to look again. */
  wait: string | null;
  simulated: boolean;
  created_at: Date;
  routed_at: Date | null;
  completed_at: Date | null;
}

export const fabricMigrations: readonly Migration[] = [
  {
    name: '011-fabric',
    sql: `
      create table aos.fabric_context (
        tenant_id text primary key,
        preset text not null,
        changed_by text not null,
        changed_at timestamptz not null,
        reason text
      );
      create table aos.fabric_routes (
        tenant_id text not null,
        preset text not null,
        target text not null,
        action_type text not null,
        planes text[] not null,
        changed_by text not null,
        changed_at timestamptz not null,
        primary key (tenant_id, preset, target, action_type)
      );
      create table aos.fabric_planes (
        tenant_id text not null,
        plane text not null,
        status text not null,
        detail text,
        changed_at timestamptz not null,
        checked_at timestamptz not null,
        primary key (tenant_id, plane)
      );
      create table aos.fabric_drills (
        id text primary key,
        tenant_id text not null,
        plane text not null,
        started_at timestamptz not null,
        until timestamptz not null,
        ended_at timestamptz,
        started_by text not null,
        reason text
      );
      create index fabric_drills_open on aos.fabric_drills (tenant_id, plane) where ended_at is null;
      create table aos.fabric_actions (
        id text primary key,
        number bigint generated always as identity,
        tenant_id text not null,
        user_id text not null,
        run_id text not null,
        task_id text,
        agent_id text not null,
        correlation_id text not null,
        target text not null,
        action_type text not null,
        payload json not null,
        status text not null,
        status_message text,
        primary_plane_id text not null,
        preset text not null,
        routed_plane text,
        execution_path text,
        fallback_from text[] not null default '{}',
        attempts integer not null default 0,
        in_flight json,
        result json,
        error json,
        wait text,
        simulated boolean not null,
        created_at timestamptz not null,
        routed_at timestamptz,
        completed_at timestamptz
      );
      alter table aos.tasks add column fabric json;
      alter table aos.jobs add column fabric json;
      create index fabric_actions_tenant on aos.fabric_actions (tenant_id, number);
      create index fabric_actions_waiting on aos.fabric_actions (tenant_id) where wait is not null;`,
  },
];
