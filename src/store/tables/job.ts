import type { JsonObject } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json, OptionalJson } from './column.ts';

export interface JobTable {
  id: string;
  tenant_id: string;
  user_id: string;
  name: string;
  description: string;
  schedule: Json<JsonObject>;
  schedule_type: string;
  /** What intervals are counted from: when the schedule was written down. */
  anchor_at: Date;
  /** The task that each firing submits, its texts not filled in yet. */
  task: Json<JsonObject>;
  misfire_policy: string;
  misfire_grace_seconds: number;
  overlap_policy: string;
  max_concurrent_runs: number;
  failure_threshold: number | null;
  status: string;
  /** Null while it is paused and when nothing is planned any more. */
  next_run_at: Date | null;
  last_run_at: Date | null;
  last_run_result: OptionalJson<JsonObject>;
  last_error: string | null;
  consecutive_failures: number;
  run_count: number;
  created_at: Date;
  updated_at: Date;
  /** Fabric context of the tenant when it was written down. */
  fabric: OptionalJson<JsonObject>;
}

/** What became of a planned time, or of being triggered by hand. */
export interface JobRunTable {
  tenant_id: string;
  job_id: string;
  /** With tenant and job its name: a planned time exists once, whoever saw it come. */
  planned_at: Date;
  /** 1, 2, 3 …; null for a time that was not run. */
  run_number: number | null;
  /** queued · running · completed · failed · cancelled · skipped · missed */
  status: string;
  /** schedule · catch_up · manual */
  cause: string;
  task_id: string | null;
  /** When a scheduler saw that its time had come. */
  noticed_at: Date;
  /** When its task was submitted. */
  submitted_at: Date | null;
  completed_at: Date | null;
  result: OptionalJson<JsonObject>;
  /** Why it failed or did not run. */
  error: string | null;
}

export const jobMigrations: readonly Migration[] = [
  {
    name: '005-jobs',
    sql: `
      create table aos.jobs (
        id text primary key,
        tenant_id text not null,
        user_id text not null,
        name text not null,
        description text not null,
        schedule json not null,
        schedule_type text not null,
        anchor_at timestamptz not null,
        task json not null,
        misfire_policy text not null,
        misfire_grace_seconds integer not null,
        overlap_policy text not null,
        max_concurrent_runs integer not null,
        failure_threshold integer,
        status text not null,
        next_run_at timestamptz,
        last_run_at timestamptz,
        last_run_result json,
        last_error text,
        consecutive_failures integer not null,
        run_count integer not null,
        created_at timestamptz not null,
        updated_at timestamptz not null
      );
      create index jobs_due on aos.jobs (next_run_at) where next_run_at is not null;
      create index jobs_tenant on aos.jobs (tenant_id, next_run_at, id);

      create table aos.job_runs (
        job_id text not null references aos.jobs on delete cascade,
        planned_at timestamptz not null,
        run_number integer,
        status text not null,
        cause text not null,
        task_id text,
        noticed_at timestamptz not null,
        submitted_at timestamptz,
        completed_at timestamptz,
        result json,
        error text,
        primary key (job_id, planned_at)
      );
      create index job_runs_active on aos.job_runs (planned_at, job_id) where status in ('queued', 'running');
      create index job_runs_task on aos.job_runs (task_id) where task_id is not null;
      create index job_runs_noticed on aos.job_runs (noticed_at);`,
  },
  {
    // Ids are of a tenant, of tasks as of jobs: what another one calls by the same name is another thing.
    name: '032-task-and-job-keys',
    sql: `
      alter table aos.tasks drop constraint tasks_pkey;
      alter table aos.tasks add primary key (tenant_id, id);
      drop index aos.tasks_parked;
      create index tasks_parked on aos.tasks (tenant_id, id) where waiting_for is not null;

      -- Whoever writes a run down says whose it is.
      drop trigger owned on aos.job_runs;
      drop function aos.own_job_runs;
      alter table aos.job_runs drop constraint job_runs_job_id_fkey;
      alter table aos.job_runs drop constraint job_runs_pkey;
      alter table aos.job_runs add primary key (tenant_id, job_id, planned_at);
      alter table aos.jobs drop constraint jobs_pkey;
      alter table aos.jobs add primary key (tenant_id, id);
      alter table aos.job_runs add foreign key (tenant_id, job_id) references aos.jobs on delete cascade;
      drop index aos.job_runs_task;
      create index job_runs_task on aos.job_runs (tenant_id, task_id) where task_id is not null;
      drop index aos.job_runs_active;
      create index job_runs_active on aos.job_runs (tenant_id, job_id, planned_at) where status in ('queued', 'running');`,
  },
];
