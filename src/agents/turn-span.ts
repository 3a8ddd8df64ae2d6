/** The spans of a turn: one for the agent, one below it for the model call; names and attributes of GenAI conventions. */
import { type Attributes, SpanKind } from '@opentelemetry/api';
import type { TurnUsage } from '../runs/event.ts';
import type { Run } from '../runs/run.ts';
import { genAi, genAiContent, generalAttribute, runAttribute, scopeName, spanName } from '../telemetry/names.ts';
import type { SpanDescription } from '../telemetry/span.ts';
import { type Agent, titleOf } from './agent.ts';
import type { Prompt } from './brief.ts';
import type { Model, ModelPart } from './model.ts';

export interface SpanSubject {
  readonly run: Run;
  readonly turn: string;
  readonly agent: Agent;
  readonly model: Model;
}

export function agentSpan(subject: SpanSubject): SpanDescription {
  return {
    scope: scopeName.runtime,
    name: `${spanName.invokeAgent} ${subject.agent.agent_id}`,
    kind: SpanKind.INTERNAL,
    attributes: {
      [genAi.operationName]: spanName.invokeAgent,
      [genAi.agentId]: subject.agent.agent_id,
      [genAi.agentName]: titleOf(subject.agent),
      ...callAttributes(subject),
    },
  };
}

export function chatSpan(subject: SpanSubject): SpanDescription {
  const { server } = subject.model;
  return {
    scope: scopeName.runtime,
    name: `${spanName.chat} ${subject.model.name}`,
    kind: SpanKind.CLIENT,
    attributes: {
      [genAi.operationName]: spanName.chat,
      ...callAttributes(subject),
      ...(server === undefined
        ? {}
        : { [generalAttribute.serverAddress]: server.address, [generalAttribute.serverPort]: server.port }),
    },
  };
}

function callAttributes({ run, turn, model }: SpanSubject): Attributes {
  return {
    [genAi.providerName]: model.provider,
    [genAi.requestModel]: model.name,
    [genAi.conversationId]: run.sessionId,
    [runAttribute.runId]: run.id,
    [runAttribute.turn]: turn,
    [runAttribute.simulated]: model.simulated,
  };
}

export function usageAttributes(usage: TurnUsage): Attributes {
  return {
    [genAi.usageInputTokens]: usage.tokens_input,
    [genAi.usageOutputTokens]: usage.tokens_output,
    ...(usage.cost_usd === null ? {} : { [runAttribute.costUsd]: usage.cost_usd }),
  };
}

export function inputAttributes(prompt: Prompt): Attributes {
  const messages = prompt.messages.map(({ role, content }) => ({ role, parts: [{ type: 'text', content }] }));
  return {
    [genAiContent.systemInstructions]: JSON.stringify([{ type: 'text', content: prompt.instructions }]),
    [genAiContent.inputMessages]: JSON.stringify(messages),
  };
}

export function outputAttributes(output: string, finishReason: string): Attributes {
  const message = { role: 'assistant', parts: [{ type: 'text', content: output }], finish_reason: finishReason };
  return { [genAiContent.outputMessages]: JSON.stringify([message]) };
}

export function endAttributes(end: Extract<ModelPart, { type: 'end' }>): Attributes {
  return {
    ...usageAttributes(end.usage),
    [genAi.responseFinishReasons]: [end.finishReason],
    ...(end.model === undefined ? {} : { [genAi.responseModel]: end.model }),
    ...(end.id === undefined ? {} : { [genAi.responseId]: end.id }),
  };
}
