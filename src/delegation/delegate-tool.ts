/**
 * Handing work on as a tool of agents: what an agent wants another one to do becomes a delegation, a child of the agent's
 * own run, by the same rules as any other. The run waits until it has ended, and the agent is told what came of it.
 */
import { z } from 'zod';
import type { Tool } from '../agents/tool.ts';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { keyUuid } from '../fabric/message.ts';
import type { Caller } from '../runs/run.ts';
import { type Delegation, delegationTimeout, endSignal, isOpen, MAX_INPUT_CHARACTERS } from './delegation.ts';
import type { DelegationDesk } from './delegation-desk.ts';

export const DELEGATE_TOOL = 'delegate';

/** Work that an agent hands on in the course of a run. */
export interface HandOver {
  readonly caller: Caller;
  /** The same for what is the same. */
  readonly id: string;
  readonly from: string;
  /** Left out: the most trusted agent with the capability. */
  readonly to: string | undefined;
  readonly capability: string | undefined;
  readonly input: string;
  readonly reason: string | undefined;
  readonly maxSteps: number | undefined;
  readonly maxCostUsd: number | undefined;
  readonly timeoutSeconds: number;
  readonly runId: string;
  readonly correlationId: string;
}

export interface DelegateToolParts {
  /** Hands it over, or gives the delegation that the same id made before, a rejected one too. */
  readonly handOver: (order: HandOver) => Promise<Delegation>;
  readonly find: DelegationDesk['find'];
  readonly clock: Clock;
}

const input = z.object({
  agent_id: z.string().min(1).max(128).optional().describe('Who is to do it; left out: whoever can do it best.'),
  capability: z.string().min(1).max(128).optional().describe('What it takes, as its card names it.'),
  task: z.string().min(1).max(MAX_INPUT_CHARACTERS).describe('What is to be done, with all that has to be known.'),
  reason: z.string().max(2000).optional().describe('Why it is handed on.'),
  max_cost_usd: z.number().positive().max(1_000_000).optional().describe('What it may cost at most.'),
  max_steps: z.int().min(1).max(10_000).optional().describe('How many tools it may use at most.'),
  timeout_seconds: z
    .number()
    .min(delegationTimeout.min)
    .max(delegationTimeout.max)
    .default(delegationTimeout.default)
    .describe('When it is given up.'),
});
type Input = z.output<typeof input>;

/** A run that waits looks again at least this often, should nobody wake it. */
const LOOK_AGAIN_MS = 60_000;

export function createDelegateTool({ handOver, find, clock }: DelegateToolParts): Tool<Input> {
  return {
    name: DELEGATE_TOOL,
    version: '1',
    description:
      'Hands a piece of work to another agent and waits for what it says. ' +
      'The other agent knows only what the task says, and cannot hand it back.',
    input,
    effect: 'write',
    timeoutMs: delegationTimeout.max * 1000,
    run: () => Promise.reject(new Error('a delegation is steps of its run')),
    async asSteps({ agent_id: to, capability, task, reason, ...bounds }, { scope, name, agentId }) {
      const { run } = scope;
      const { caller } = run;
      const given = await scope.step<JsonObject>(
        `${name}/hand-over`,
        async () => {
          const delegation = await handOver({
            caller,
            // The same in every execution of the run.
            id: keyUuid(`${run.id}/${name}`),
            from: agentId,
            to,
            capability,
            input: task,
            reason,
            maxSteps: bounds.max_steps,
            maxCostUsd: bounds.max_cost_usd,
            timeoutSeconds: bounds.timeout_seconds,
            runId: run.id,
            correlationId: run.sessionId,
          });
          return { id: delegation.id, agent_id: delegation.to, until: delegation.deadlineAt };
        },
        { effect: 'write' },
      );
      const id = String(given['id']);
      const detail = { delegation_id: id, agent_id: given['agent_id'] ?? null, until: given['until'] ?? null };
      for (let round = 1; ; round++) {
        const seen = await scope.step<JsonObject>(`${name}/look-${round}`, async () => {
          const delegation = await find(caller, id);
          return { ended: endOf(id, delegation), look_at: isoTime(clock.now() + LOOK_AGAIN_MS) };
        });
        const { ended } = seen;
        if (ended !== null) return told(ended as JsonObject);
        await scope.wait({
          name: `${name}/wait-${round}`,
          signal: endSignal(id),
          reason: 'run',
          until: String(seen['look_at']),
          detail,
        });
      }
    },
  };
}

/** What became of it; null while it is open. */
function endOf(id: string, delegation: Delegation | undefined): JsonObject | null {
  if (delegation === undefined) return { failure: { code: 'DELEGATION_LOST', message: `delegation ${id} is gone` } };
  const { status, to, result, failure, tokens, costUsd, steps } = delegation;
  if (isOpen(status)) return null;
  const facts = { delegation_id: id, agent_id: to, status, tokens_used: tokens, cost_usd: costUsd };
  if (status === 'completed') return { ...facts, steps_executed: steps, result };
  return { ...facts, failure: { code: failure?.code ?? status.toUpperCase(), message: failure?.message ?? status } };
}

/** @throws AosError with the code of the rejection or the failure */
function told({ failure, ...facts }: JsonObject): JsonValue {
  if (failure === undefined) return facts;
  const { code, message } = failure as { code: string; message: string };
  throw new AosError('unprocessable', `${code}: ${message}`, { reason: code, facts });
}
