/** What becomes of a message while an earlier one of its session is being answered. */
import type { Agent } from '../agents/agent.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Engine } from '../engine/engine.ts';
import { STEER_SIGNAL } from '../orchestration/chat.ts';
import type { EventLog } from '../runs/event-log.ts';
import { keyOfRun, type Run } from '../runs/run.ts';
import type { Admitted, RunAdmission, RunStore } from '../runs/run-store.ts';

/** It is refused · answered afterwards · answered in its place · handed to the run that is answering, which answers both. */
export const secondMessagePolicies = ['reject', 'enqueue', 'interrupt', 'steer'] as const;
export type SecondMessagePolicy = (typeof secondMessagePolicies)[number];

/**
 * By the request, else by the agent, else it is answered afterwards.
 * @throws AosError invalid_request
 */
export function policyOf(body: JsonObject, agent: Agent | undefined): SecondMessagePolicy {
  const asked = body['second_message'] ?? agent?.config['second_message'] ?? 'enqueue';
  const policy = secondMessagePolicies.find((known) => known === asked);
  if (policy !== undefined) return policy;
  throw new AosError(
    'invalid_request',
    `"second_message" must be one of ${secondMessagePolicies.join(', ')}, got ${JSON.stringify(asked)}`,
  );
}

type Message = Pick<RunAdmission, 'id' | 'caller' | 'sessionId'>;

/** The run that answers in the session now; undefined when that is nobody, or this very message, sent again. */
export async function answeringRun(
  runs: Pick<RunStore, 'activeInSession'>,
  { id, caller, sessionId }: Message,
): Promise<Run | undefined> {
  // The oldest has the floor: the others wait for it.
  const [oldest] = await runs.activeInSession(caller, sessionId);
  return oldest?.id === id ? undefined : oldest;
}

/** Hands a message that was admitted to the run that is answering. */
export async function steer(
  { events, engine }: { readonly events: Pick<EventLog, 'append'>; readonly engine: Pick<Engine, 'signal'> },
  run: Run,
  into: Run,
): Promise<void> {
  // First what this run has to know of it: should the other take the message, this one must not answer again.
  const { appended } = await events.append(keyOfRun(run), 'steering', {
    type: 'run.steering',
    data: { into: into.id },
  });
  // Sent again: it was handed over before, perhaps to another run, and is not to be answered twice.
  if (!appended) return;
  const payload = { run_id: run.id, message: run.request['message'] ?? '' };
  await engine.signal(keyOfRun(into), { id: `steer/${run.id}`, name: STEER_SIGNAL, payload, actor: `run:${run.id}` });
}

/** Admits, and names the run in the way when the session is busy. */
export async function admitMessage(
  runs: Pick<RunStore, 'admit' | 'activeInSession'>,
  admission: RunAdmission,
): Promise<Admitted> {
  try {
    return await runs.admit(admission);
  } catch (thrown) {
    if (!(thrown instanceof AosError) || thrown.reason !== 'SESSION_BUSY') throw thrown;
    const [active] = await runs.activeInSession(admission.caller, admission.sessionId);
    throw new AosError('conflict', thrown.message, {
      reason: 'SESSION_BUSY',
      facts: { run_id: active?.id ?? null },
      cause: thrown,
    });
  }
}
