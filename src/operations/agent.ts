/**
 * The catalogue of agents as clients browse and extend it, and talking to one of them. An answer is a chat run like any
 * other: it has an invocation, a session and a log.
 */

import type { z } from 'zod';
import type { Agent } from '../agents/agent.ts';
import type { Clock } from '../core/clock.ts';
import { isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { Gate } from '../dispatch.ts';
import type { Engine } from '../engine/engine.ts';
import { hearsMessages } from '../orchestration/patterns.ts';
import type { EventLog } from '../runs/event-log.ts';
import { type Caller, isTerminal, keyOfRun, type Run, runKey } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { AgentRegister } from './agent-register.ts';
import {
  type agentEntry,
  askAgent,
  getAgent,
  getRealmConfig,
  listAgents,
  messageAgent,
  registerAgent,
  sendToAgent,
} from './agent-spec.ts';
import { type Operation, type OperationContext, realize } from './operation.ts';

/** How long an agent may take to answer the one who asks. */
const ASK_LIMIT_MS = 300_000;

const MANAGED_BY = 'aos-agent-server';

export interface AgentParts {
  readonly agents: AgentRegister;
  readonly gate: Gate;
  readonly runs: Pick<RunStore, 'findInTenant'>;
  readonly events: Pick<EventLog, 'of'>;
  readonly engine: Pick<Engine, 'signal'>;
  readonly clock: Clock;
}

export function createAgentOperations(parts: AgentParts): readonly Operation[] {
  const { agents, gate, runs, events, engine, clock } = parts;

  function find(id: string, caller: Caller): Agent {
    const agent = agents.visibleTo(caller).find((one) => one.agent_id === id && one.enabled);
    if (agent !== undefined) return agent;
    throw new AosError('not_found', `Agent '${id}' not found`, { reason: 'AGENT_NOT_FOUND' });
  }

  async function chat(agent: Agent, message: string, { caller, callId }: OperationContext, sessionId = newUuid()) {
    const body = { message, agent_id: agent.agent_id };
    const { run } = await gate.submit({ id: newUuid(), kind: 'chat', sessionId, caller, body, callId });
    return run;
  }

  /** The run once it has ended. @throws AosError what it failed with, or that there was no answer in time */
  async function answered(run: Run, caller: Caller, signal: AbortSignal): Promise<Run> {
    const patience = new AbortController();
    const timer = clock.after(ASK_LIMIT_MS, () => patience.abort());
    for await (const _event of events
      .of(run.caller.tenantId)
      .follow(keyOfRun(run), run.lastEvent, AbortSignal.any([signal, patience.signal])));
    timer.cancel();
    const last = (await runs.findInTenant(run.id, caller)) ?? run;
    const facts = { invocation_id: run.id };
    if (last.status === 'completed') return last;
    if (!isTerminal(last.status)) {
      const [code, why] = patience.signal.aborted
        ? (['timed_out', 'the agent has not answered yet'] as const)
        : (['shutting_down', 'the server is stopping'] as const);
      throw new AosError(code, `${why}: read GET /invocations/${run.id}`, { facts });
    }
    const { code, message } = last.error ?? { code: 'cancelled' as const, message: 'the question was cancelled' };
    throw new AosError(code, message, { facts });
  }

  return [
    realize(listAgents, async ({ agent_type: type }, { caller }) => {
      const enabled = agents.visibleTo(caller).filter((agent) => agent.enabled);
      return { agents: enabled.filter((agent) => type === undefined || agent.agent_type === type).map(viewAgent) };
    }),
    realize(getAgent, async ({ agent_id: id }, { caller }) => viewAgent(find(id, caller))),
    realize(getRealmConfig, async (_input, { caller }) => ({ agents: agents.visibleTo(caller).map(viewAgent) })),
    realize(registerAgent, async (asked, { caller }) => {
      const name = asked.name ?? asked.agent_id;
      const kept = await agents.register(
        {
          agentId: asked.agent_id,
          name,
          purpose: asked.purpose ?? `Contribute as ${name}`,
          agentType: asked.agent_type,
          adapterName: asked.adapter_name ?? asked.agent_id,
          capabilities: asked.capabilities,
          tools: asked.tools.filter((tool) => typeof tool === 'string'),
          model: asked.model,
        },
        caller,
      );
      return {
        ...viewAgent(find(asked.agent_id, caller)),
        name,
        model: asked.model,
        tools: asked.tools,
        foundry_agent_id: null,
        registered_at: kept.createdAt,
        managed_by: MANAGED_BY,
      };
    }),
    realize(askAgent, async ({ agent_id: id, message, context, session_id: session }, call) => {
      const asked =
        context && Object.keys(context).length > 0 ? `${message}\n\nContext: ${JSON.stringify(context)}` : message;
      const run = await chat(find(id, call.caller), asked, call, session);
      const { result, completedAt, simulated } = await answered(run, call.caller, call.signal);
      return {
        agent_id: id,
        message: String(result?.['message'] ?? ''),
        context: context ?? {},
        timestamp: completedAt ?? isoTime(clock.now()),
        invocation_id: run.id,
        session_id: run.sessionId,
        simulated,
      };
    }),
    realize(sendToAgent, async ({ agent_id: id, ...rest }, call) => {
      const { message } = rest;
      const text = typeof message === 'string' && message.trim() !== '' ? message : JSON.stringify(rest);
      const run = await chat(find(id, call.caller), text, call);
      return { message_id: run.id, agent_id: id, status: 'sent' as const };
    }),
    realize(messageAgent, async ({ agent_id: id, message, orchestration_id: within, direction }, call) => {
      const { caller } = call;
      const agent = find(id, caller);
      const facts = {
        agent_id: id,
        content: message,
        direction,
        timestamp: isoTime(clock.now()),
        managed_by: MANAGED_BY,
      };
      if (!within) {
        const run = await chat(agent, message, call);
        return { ...facts, message_id: run.id, orchestration_id: null, status: 'sent' as const };
      }
      const orchestration = await runs.findInTenant(within, caller);
      if (orchestration?.kind !== 'orchestration') {
        throw new AosError('not_found', `Orchestration '${within}' not found`, { reason: 'ORCHESTRATION_NOT_FOUND' });
      }
      if (!hearsMessages(orchestration.request)) {
        throw new AosError('conflict', `The agents of orchestration '${within}' take no messages while it runs`, {
          reason: 'NOT_LISTENING',
        });
      }
      const messageId = newUuid();
      const payload = { agent_id: id, message, direction };
      const actor = `user:${caller.userId}`;
      if (!(await engine.signal(runKey(caller.tenantId, within), { id: messageId, name: 'message', payload, actor }))) {
        throw new AosError('conflict', `Orchestration '${within}' has ended: it takes no message any more`, {
          reason: 'ORCHESTRATION_TERMINAL',
        });
      }
      return { ...facts, message_id: messageId, orchestration_id: within, status: 'delivered' as const };
    }),
  ];
}

function viewAgent(agent: Agent): z.infer<typeof agentEntry> {
  return { ...agent, capabilities: [...agent.capabilities] };
}
