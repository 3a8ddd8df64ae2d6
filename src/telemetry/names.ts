/**
 * Every name that spans, log records and baggage of this process carry, as our own constants: the packages that
 * publish such constants rename and deprecate them between minor versions, and a renamed attribute is a broken dashboard.
 * GenAI names are those of the OpenTelemetry semantic conventions v1.41.0, the last release that held them.
 */

/** Instrumentation scopes: who recorded a span or a log record. */
export const scopeName = {
  invocations: 'Azure.AI.AgentServer.Invocations',
  /** Spans of runs: workflows, agents, model calls. */
  runtime: 'aos-agent-server',
  logs: 'azure.ai.agentserver',
} as const;

/** Keys of W3C baggage that the protocol host adds to the caller's (protocol §14.1). */
export const baggageKey = {
  invocationId: 'azure.ai.agentserver.invocation_id',
  sessionId: 'azure.ai.agentserver.session_id',
  conversationId: 'azure.ai.agentserver.conversation_id',
  requestId: 'x_request_id',
} as const;

/** First words of span names; what follows is the agent, workflow, model or tool. */
export const spanName = {
  invokeAgent: 'invoke_agent',
  getInvocation: 'get_invocation',
  cancelInvocation: 'cancel_invocation',
  websocketSession: 'websocket_session',
  invokeWorkflow: 'invoke_workflow',
  createAgent: 'create_agent',
  executeTool: 'execute_tool',
  chat: 'chat',
} as const;

/** Attributes of the protocol host's own spans and of its close record (protocol §13.5, §14.2). */
export const hostAttribute = {
  serviceName: 'service.name',
  requestId: 'x_request_id',
  invocationId: 'azure.ai.agentserver.invocations.invocation_id',
  sessionId: 'azure.ai.agentserver.invocations.session_id',
  errorCode: 'azure.ai.agentserver.invocations.error.code',
  errorMessage: 'azure.ai.agentserver.invocations.error.message',
  wsSessionId: 'azure.ai.agentserver.invocations_ws.session_id',
  wsCloseCode: 'azure.ai.agentserver.invocations_ws.close_code',
  wsDurationMs: 'azure.ai.agentserver.invocations_ws.duration_ms',
  wsErrorCode: 'azure.ai.agentserver.invocations_ws.error.code',
} as const;

/** Attributes of runs that no convention names. */
export const runAttribute = {
  runId: 'aos.run.id',
  turn: 'aos.turn',
  /** Whether the simulated model answered. */
  simulated: 'aos.simulated',
  costUsd: 'aos.usage.cost_usd',
} as const;

/** Attributes by which Foundry finds the telemetry of an agent (protocol §14.2, §14.3). */
export const foundryAttribute = {
  sessionId: 'microsoft.session.id',
  projectId: 'microsoft.foundry.project.id',
  tenantId: 'microsoft.tenant.id',
  blueprintId: 'gen_ai.agent.blueprint.id',
} as const;

/** Fixed values that the protocol prescribes for the host's own spans. */
export const hostValue = {
  system: 'azure.ai.agentserver',
  providerName: 'AzureAI Hosted Agents',
  /** `service.name` of an agent without a name. */
  unnamedService: 'azure.ai.agentserver',
} as const;

/** GenAI attributes, semantic conventions v1.41.0. */
export const genAi = {
  /** Deprecated there in favour of `providerName`; only the host's spans set it, because the protocol says so. */
  system: 'gen_ai.system',
  providerName: 'gen_ai.provider.name',
  operationName: 'gen_ai.operation.name',
  conversationId: 'gen_ai.conversation.id',
  workflowName: 'gen_ai.workflow.name',
  agentId: 'gen_ai.agent.id',
  agentName: 'gen_ai.agent.name',
  agentVersion: 'gen_ai.agent.version',
  agentDescription: 'gen_ai.agent.description',
  requestModel: 'gen_ai.request.model',
  requestMaxTokens: 'gen_ai.request.max_tokens',
  requestTemperature: 'gen_ai.request.temperature',
  requestTopP: 'gen_ai.request.top_p',
  requestSeed: 'gen_ai.request.seed',
  requestStopSequences: 'gen_ai.request.stop_sequences',
  responseId: 'gen_ai.response.id',
  responseModel: 'gen_ai.response.model',
  responseFinishReasons: 'gen_ai.response.finish_reasons',
  outputType: 'gen_ai.output.type',
  usageInputTokens: 'gen_ai.usage.input_tokens',
  usageOutputTokens: 'gen_ai.usage.output_tokens',
  toolName: 'gen_ai.tool.name',
  toolType: 'gen_ai.tool.type',
  toolCallId: 'gen_ai.tool.call.id',
  toolDescription: 'gen_ai.tool.description',
  tokenType: 'gen_ai.token.type',
} as const;

/** GenAI attributes that hold what people and models wrote; set only when content capture is switched on. */
export const genAiContent = {
  inputMessages: 'gen_ai.input.messages',
  outputMessages: 'gen_ai.output.messages',
  systemInstructions: 'gen_ai.system_instructions',
  toolCallArguments: 'gen_ai.tool.call.arguments',
  toolCallResult: 'gen_ai.tool.call.result',
} as const;

/** GenAI metrics and events, semantic conventions v1.41.0. */
export const genAiMetric = {
  tokenUsage: 'gen_ai.client.token.usage',
  operationDuration: 'gen_ai.client.operation.duration',
} as const;
export const genAiEvent = {
  inferenceDetails: 'gen_ai.client.inference.operation.details',
} as const;

/** General attributes, stable in the semantic conventions. */
export const generalAttribute = {
  errorType: 'error.type',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  networkTransport: 'network.transport',
  exceptionType: 'exception.type',
  exceptionMessage: 'exception.message',
  exceptionStacktrace: 'exception.stacktrace',
} as const;

/** MCP attributes and metric, semantic conventions v1.41.0. */
export const mcpAttribute = {
  methodName: 'mcp.method.name',
  protocolVersion: 'mcp.protocol.version',
  sessionId: 'mcp.session.id',
  jsonrpcRequestId: 'jsonrpc.request.id',
} as const;
export const mcpMetric = { serverOperationDuration: 'mcp.server.operation.duration' } as const;

/** A2A attributes; a proposal of the successor repository, not yet released. */
export const a2aAttribute = {
  methodName: 'a2a.method.name',
  taskId: 'a2a.task.id',
  taskState: 'a2a.task.state',
  messageId: 'a2a.message.id',
  protocolVersion: 'a2a.protocol.version',
} as const;
