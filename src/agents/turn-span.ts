/**
 * The spans of a turn: one for the agent, below it one for each call of the model and of a tool; names and attributes
 * of the GenAI conventions.
 */
import { type Attributes, type Context, type Span, SpanKind } from '@opentelemetry/api';
import type { JsonObject } from '../core/json.ts';
import type { TurnUsage } from '../runs/event.ts';
import type { Run } from '../runs/run.ts';
import { genAi, genAiContent, generalAttribute, runAttribute, scopeName, spanName } from '../telemetry/names.ts';
import { textWithoutSecrets, withoutSecrets } from '../telemetry/scrub.ts';
import { inSpan, type SpanDescription } from '../telemetry/span.ts';
import { type Agent, titleOf } from './agent.ts';
import type { Model, ModelPart, ModelRequest, ToolAnswer, ToolCall } from './model.ts';
import type { Tool } from './tool.ts';

export interface SpanSubject {
  readonly run: Run;
  readonly turn: string;
  readonly agent: Agent;
  readonly model: Model;
}

function agentSpan(subject: SpanSubject): SpanDescription {
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

export function toolSpan({ run, turn }: SpanSubject, tool: Tool, call: ToolCall): SpanDescription {
  return {
    scope: scopeName.runtime,
    name: `${spanName.executeTool} ${tool.name}`,
    kind: SpanKind.INTERNAL,
    attributes: {
      [genAi.operationName]: spanName.executeTool,
      [genAi.toolName]: tool.name,
      [genAi.toolType]: 'function',
      [genAi.toolCallId]: call.id,
      [genAi.toolDescription]: tool.description,
      [genAi.conversationId]: run.sessionId,
      [runAttribute.runId]: run.id,
      [runAttribute.turn]: turn,
    },
  };
}

export function toolContent(args: JsonObject, answer: ToolAnswer | undefined): Attributes {
  return {
    [genAiContent.toolCallArguments]: JSON.stringify(withoutSecrets(args)),
    ...(answer === undefined ? {} : { [genAiContent.toolCallResult]: JSON.stringify(answer) }),
  };
}

/** The span of an agent at work, begun when the first thing is done in it: a turn that is only read back has none. */
export interface AgentSpan {
  /** The context in which it is current. */
  begin(): Context;
  complete(attributes: Attributes): void;
  fail(thrown: unknown): void;
}

export function openAgentSpan(subject: SpanSubject, parent: Context): AgentSpan {
  let begun: { readonly span: Span; readonly within: Context } | undefined;
  const over = Promise.withResolvers<void>();
  return {
    begin() {
      if (begun === undefined) {
        inSpan(agentSpan(subject), parent, (span, within) => {
          begun = { span, within };
          return over.promise;
        }).catch(() => {});
      }
      return begun?.within ?? parent;
    },
    complete(attributes) {
      begun?.span.setAttributes(attributes);
      over.resolve();
    },
    fail(thrown) {
      over.promise.catch(() => {});
      over.reject(thrown);
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

export function inputAttributes({ prompt, exchanges = [] }: ModelRequest): Attributes {
  const messages = [
    ...prompt.messages.map(({ role, content }) => ({ role, parts: [textPart(content)] })),
    ...exchanges.flatMap(({ text, calls }) => [
      { role: 'assistant', parts: [...textParts(text), ...calls.map(callPart)] },
      { role: 'tool', parts: calls.map(({ id, answer }) => ({ type: 'tool_call_response', id, response: answer })) },
    ]),
  ];
  return {
    [genAiContent.systemInstructions]: JSON.stringify([textPart(prompt.instructions)]),
    [genAiContent.inputMessages]: JSON.stringify(messages),
  };
}

export function outputAttributes(output: string, calls: readonly ToolCall[], finishReason: string): Attributes {
  const parts = [...textParts(output), ...calls.map(callPart)];
  return {
    [genAiContent.outputMessages]: JSON.stringify([{ role: 'assistant', parts, finish_reason: finishReason }]),
  };
}

function textParts(content: string) {
  return content === '' ? [] : [textPart(content)];
}

function textPart(content: string) {
  return { type: 'text', content };
}

function callPart({ id, name, arguments: given }: ToolCall) {
  return { type: 'tool_call', id, name, arguments: textWithoutSecrets(given) };
}

export function endAttributes(end: Extract<ModelPart, { type: 'end' }>): Attributes {
  return {
    ...usageAttributes(end.usage),
    [genAi.responseFinishReasons]: [end.finishReason],
    ...(end.model === undefined ? {} : { [genAi.responseModel]: end.model }),
    ...(end.id === undefined ? {} : { [genAi.responseId]: end.id }),
  };
}
