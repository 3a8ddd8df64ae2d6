/**
 * `scheduled_job`: what a job does when it fires. `payload.run` may be a whole task in itself; otherwise the payload is
 * that of an orchestration (it names several agents) or of one agent. It is done within the same attempt.
 */
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { agentOfTask, submissionOf, type TaskType, taskTypes } from './task.ts';
import type { TaskHandler, TaskWork } from './task-handler.ts';

/** @param handlerOf the handler of another type of task */
export function createScheduledJobHandler(handlerOf: (type: TaskType) => TaskHandler): TaskHandler {
  return async (work, setting) => {
    const { job_id: jobId = null } = work.payload;
    const inner = innerWork(work);
    const result = await handlerOf(inner.type)(inner, setting);
    return { job_id: jobId, status: 'completed', result };
  };
}

/** @throws AosError unprocessable when the payload says nothing that could be done */
export function innerWork({ payload, agentId }: TaskWork): TaskWork {
  const { run, job_id: _id, job_name: _name, run_number: _number, ...rest } = payload;
  if (isJsonObject(run)) return nestedTask(run, agentId);
  if (Array.isArray(rest['agent_ids']) || isJsonObject(rest['graph'])) {
    return { type: 'orchestration', payload: rest, agentId };
  }
  return nestedTask({ task_type: 'agent_run', payload: rest }, agentId);
}

function nestedTask(run: JsonObject, agentId: string | undefined): TaskWork {
  const type = taskTypes.find((known) => known === run['task_type']);
  if (type === undefined || type === 'scheduled_job') {
    const others = taskTypes.filter((known) => known !== 'scheduled_job').join(', ');
    throw new AosError(
      'unprocessable',
      `payload.run.task_type must be one of ${others}, got ${JSON.stringify(run['task_type'] ?? null)}`,
      {
        reason: 'INVALID_TASK',
      },
    );
  }
  const text = (value: unknown) => (typeof value === 'string' ? value : null);
  const { payload } = run;
  const submission = submissionOf({
    task_type: type,
    payload: isJsonObject(payload) ? payload : {},
    agent_id: text(run['agent_id']) ?? agentId ?? null,
    target_system: text(run['target_system']),
    action_type: text(run['action_type']),
  });
  const { target_system, action_type } = submission;
  // The run's request is the job's: what the task in it says beside its payload goes into it.
  const action = type === 'fabric_action' ? { target_system, action_type } : {};
  return { type, payload: { ...submission.payload, ...action }, agentId: agentOfTask(submission) };
}
