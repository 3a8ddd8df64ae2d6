/**
 * What a type of task does. A handler runs inside the run of the attempt: everything with an effect is a step of its
 * scope, so an attempt that is taken up again goes on where it was.
 */
import type { Context } from '@opentelemetry/api';
import type { JsonObject } from '../core/json.ts';
import type { RunScope } from '../engine/engine.ts';
import type { TaskType } from './task.ts';

/** The work of a task as its handler sees it. */
export interface TaskWork {
  readonly type: TaskType;
  readonly payload: JsonObject;
  /** The agent the task names, itself or in its payload. */
  readonly agentId: string | undefined;
}

/** What handlers of one execution share. */
export interface TaskSetting {
  readonly scope: RunScope;
  /** The trace context that spans of the task begin in. */
  readonly traceContext: Context;
}

/** @returns the result of the task. @throws AosError whose `retry` says whether another attempt is of any use */
export type TaskHandler = (work: TaskWork, setting: TaskSetting) => Promise<JsonObject>;
