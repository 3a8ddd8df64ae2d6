/**
 * One visit to a node: what it does, from its references filled in to its output. Its steps are named by node and visit
 * (`draft/2`), by item where it goes through a list (`draft/2/item-3`) and by try where it is repeated
 * (`draft/2/try-2`). Any failure of the node itself is an AosError.
 */
import type { Assignment } from '../agents/brief.ts';
import { foundEvent } from '../agents/model-screen.ts';
import type { Tool } from '../agents/tool.ts';
import { permitTool } from '../agents/tool-permission.ts';
import { performTool } from '../agents/tool-work.ts';
import { untilAborted } from '../core/abort.ts';
import { isoTime } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import { settledOutcome } from '../engine/settlement.ts';
import { withheld } from '../governance/screening/egress.ts';
import { type Attempt, attemptTurn } from './attempt.ts';
import type { GraphNode, NodeOf } from './graph-definition.ts';
import type { Visit } from './graph-plan.ts';
import { askOf, decisionOutput, type Proposal, refusalOf } from './graph-question.ts';
import { asText, fillIn, type GraphView, textOf, valueAt } from './graph-reference.ts';
import { type Deadline, withinTime } from './graph-scope.ts';
import type { OrchestrationSetting } from './pattern.ts';

export interface NodeVisit {
  readonly node: GraphNode;
  readonly visit: Visit;
  /** Nodes over whose edges it was arrived at. */
  readonly from: readonly string[];
  readonly view: GraphView;
  readonly assignment: Assignment;
  /** Takes the turns of agents, however they end. */
  readonly noteTurn: (attempt: Attempt) => void;
}

/** Marks the failure of a sub-run, whatever its code: its limits are not those of this run. */
const CHILD_FAILED = 'CHILD_FAILED';

/** Marks what may have been done and is not repeated before somebody knows. */
const UNKNOWN = 'UNKNOWN_OUTCOME';
/** Marks what is not to be tried again, whatever the node's policy. */
const SETTLED = 'OUTCOME_SETTLED';

/** A visit, or one item of it, under the name of its steps. */
interface Doing extends NodeVisit {
  readonly step: string;
}

/** @throws AosError why the node failed, or why the run is to end */
export async function performNode(setting: OrchestrationSetting, visit: NodeVisit): Promise<JsonValue> {
  const { node, view } = visit;
  const step = `${node.id}/${visit.visit.visit}`;
  const each = 'for_each' in node ? node.for_each : undefined;
  if (each === undefined) return permitted(setting, { ...visit, step });
  const items = valueAt(view, each.path) ?? [];
  if (!Array.isArray(items))
    throw failure(`"${textOf(each.path)}" must lead to a list, got ${JSON.stringify(items).slice(0, 80)}`);
  if (items.length > each.max_items) {
    throw failure(`"${textOf(each.path)}" has ${items.length} items, more than max_items (${each.max_items})`);
  }
  const done = await Promise.allSettled(
    items.map((item, index) =>
      permitted(setting, { ...visit, step: `${step}/item-${index + 1}`, view: { ...view, item, index } }),
    ),
  );
  // All of them have ended, so that a node that is repeated finds none of the last try under way.
  return done.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** Does it as soon as whoever must agree has. */
async function permitted(setting: OrchestrationSetting, doing: Doing): Promise<JsonValue> {
  const { node, step, view } = doing;
  if (node.type === 'approval') return repeated(doing, (name) => approval(setting, node, { ...doing, step: name }));
  const plan = proposalOf(setting, doing);
  if (!plan.isAsked) return repeated(doing, (name) => perform(setting, { ...doing, step: name }, plan.proposal.args));
  const { approvals, scope } = setting;
  if (approvals === undefined) throw failure('it requires an approval, and there is nobody here to ask');
  const spec = isJsonObject(node.requires_approval) ? node.requires_approval : {};
  const outcome = await approvals.ask(scope, askOf(node, spec, { ...plan.proposal, name: step }, view));
  if (outcome.decision !== 'approved') throw refusalOf(outcome);
  return repeated(doing, (name) => perform(setting, { ...doing, step: name }, outcome.args));
}

/** Tries it as often as the node's policy says. */
async function repeated({ node, step }: Doing, work: (step: string) => Promise<JsonValue>): Promise<JsonValue> {
  const tries = typeof node.on_error === 'string' ? 1 : node.on_error.retry + 1;
  for (let nth = 1; ; nth++) {
    try {
      return await work(nth === 1 ? step : `${step}/try-${nth}`);
    } catch (thrown) {
      if (nth === tries || !isNodeFailure(thrown) || thrown.reason === SETTLED) throw thrown;
    }
  }
}

/** Whether something thrown is the node's own failure; anything else, such as the run's own limit, ends the run. */
export function isNodeFailure(thrown: unknown): thrown is AosError {
  return thrown instanceof AosError && (thrown.code !== 'limit_exceeded' || thrown.reason === CHILD_FAILED);
}

/** What the node is going to do, and whether somebody has to agree. */
function proposalOf(
  setting: OrchestrationSetting,
  { node, view, step }: Doing,
): { proposal: Proposal; isAsked: boolean } {
  const base = { name: step, requestType: 'agent_action', actionType: node.type, agentId: null } as const;
  const asked = node.requires_approval !== undefined && node.requires_approval !== false;
  switch (node.type) {
    case 'agent': {
      const args = node.instructions === undefined ? {} : { instructions: asText(fillIn(node.instructions, view)) };
      return { proposal: { ...base, actionType: node.agent_id, agentId: node.agent_id, args }, isAsked: asked };
    }
    case 'tool': {
      const args = objectOf(fillIn(node.arguments, view));
      const proposal = { ...base, requestType: 'tool_execution', actionType: node.tool, args } as const;
      const tool = toolOf(setting, node);
      return {
        proposal,
        isAsked: asked || tool.requiresApproval?.(checkSchema(tool.input, args, 'its arguments')) === true,
      };
    }
    case 'orchestration':
      return { proposal: { ...base, args: objectOf(fillIn(node.request, view)) }, isAsked: asked };
    case 'transform':
      return { proposal: { ...base, args: { value: transformed(node, view) } }, isAsked: asked };
    default:
      return { proposal: { ...base, args: {} }, isAsked: asked };
  }
}

/** @param args as proposed, or as an approver edited them */
async function perform(setting: OrchestrationSetting, doing: Doing, args: JsonObject): Promise<JsonValue> {
  const { node, view, from } = doing;
  switch (node.type) {
    case 'agent':
      return askAgent(setting, node, doing, args['instructions']);
    case 'tool':
      return useTool(setting, node, doing, args);
    case 'approval':
      return approval(setting, node, doing);
    case 'input':
      return takeInput(setting, node, doing);
    case 'transform':
      return args['value'] ?? null;
    case 'orchestration':
      return runChild(setting, node, doing, args);
    case 'join':
      return Object.fromEntries(from.map((id) => [id, view.nodes[id]?.output ?? null]));
  }
}

async function askAgent(
  setting: OrchestrationSetting,
  node: NodeOf<'agent'>,
  { step, view, from, visit, assignment, noteTurn }: Doing,
  asked: JsonValue | undefined,
): Promise<JsonValue> {
  const agent = setting.agentOfRun(node.agent_id);
  if (agent === undefined) throw failure(`there is no agent "${node.agent_id}" in this run`);
  const given = from
    .map((id) => ({ from: id, text: asText(view.nodes[id]?.output) }))
    .filter(({ text }) => text !== '');
  const instructions = typeof asked === 'string' && asked !== '' ? asked : undefined;
  const attempt = await withinTime(setting, deadlineOf(node, 'model_failed'), (scope) =>
    attemptTurn({ ...setting, scope }, { name: step, agent, round: visit.visit }, [], () => ({
      kind: 'node',
      agent,
      assignment,
      instructions,
      given,
      format: node.output,
    })),
  );
  noteTurn(attempt);
  if (attempt.status === 'failed') throw new AosError(attempt.error.code, attempt.error.message);
  return node.output === 'json' ? jsonIn(attempt.outcome.output) : attempt.outcome.output;
}

async function useTool(
  setting: OrchestrationSetting,
  node: NodeOf<'tool'>,
  { step }: Doing,
  asked: JsonObject,
): Promise<JsonValue> {
  const tool = toolOf(setting, node);
  if (tool.asSteps !== undefined) return useSteps(setting, tool, step, asked);
  const { args, input, event, settling: budgeted } = await permittedUse(setting, tool, step, asked);
  const effect = tool.effectOf?.(input) ?? tool.effect;
  const { clock, meter, log } = setting;
  const { run } = setting.scope;
  await meter.toolCall(tool.name, args);
  const seconds = Math.min(node.timeout_seconds ?? Number.POSITIVE_INFINITY, tool.timeoutMs / 1000);
  const unknown = effect === 'read' ? '' : '; whether it had its effect is not known';
  const deadline = {
    seconds,
    code: 'timed_out',
    message: `${tool.name} did not end within ${seconds} s${unknown}`,
  } as const;
  const use = (name: string) => {
    const isCutOff = effect === 'external' && setting.scope.isSettled(`${name}/begin`);
    return withinTime(setting, deadline, async (scope) => {
      if (effect === 'external') await scope.step(`${name}/begin`, async () => null);
      return scope.step(
        name,
        async ({ signal, idempotencyKey }) => {
          if (isCutOff) throw unknownOutcome(`${tool.name} was under way when its process ended${unknown}`);
          const { caller, sessionId, simulation } = run;
          try {
            const work = performTool(tool, input, { signal, idempotencyKey, clock, caller, sessionId, simulation });
            return await screened(setting, name, (await untilAborted(work, signal)) ?? null);
          } catch (thrown) {
            if (signal.aborted || thrown instanceof AosError) throw thrown;
            log?.error('a tool met an unexpected error', {
              tenant_id: run.caller.tenantId,
              run_id: run.id,
              tool: tool.name,
              error: asError(thrown),
            });
            throw new AosError('internal_error', `${tool.name} failed; the log has the details`, { retry: 'never' });
          }
        },
        // What has an effect is not repeated by itself.
        {
          effect,
          ...(effect === 'read' ? {} : { retry: { attempts: 1 } }),
          ...(event === undefined ? {} : { event: () => event }),
          ...budgeted,
        },
      );
    });
  };
  return effect === 'external' ? settling(setting, tool, step, deadline.message, use) : use(step);
}

/** Does it; where its outcome is unknown the run waits for somebody who knows, and does it again only if they say so. */
async function settling(
  { scope, clock }: OrchestrationSetting,
  tool: Tool,
  step: string,
  tooLate: string,
  use: (name: string) => Promise<JsonValue>,
): Promise<JsonValue> {
  for (let round = 1; ; round++) {
    const name = round === 1 ? step : `${step}/again-${round}`;
    try {
      return await use(name);
    } catch (thrown) {
      const isUnknown = thrown instanceof AosError && (thrown.reason === UNKNOWN || thrown.message === tooLate);
      if (!isUnknown) throw thrown;
      const said = await settledOutcome(scope, clock, name, { tool: tool.name, message: thrown.message });
      if (said?.outcome === 'completed') return said.result ?? null;
      if (said?.outcome === 'not_done') continue;
      const message = said === undefined ? thrown.message : `${tool.name} had not done it, and it is not done again`;
      throw new AosError(thrown.code, message, { retry: 'never', reason: SETTLED });
    }
  }
}

function unknownOutcome(message: string): AosError {
  return new AosError('timed_out', message, { retry: 'never', reason: UNKNOWN });
}

/** A tool whose work is steps of the run; what they do is judged there. */
async function useSteps(setting: OrchestrationSetting, tool: Tool, step: string, args: JsonObject): Promise<JsonValue> {
  const { scope, meter, traceContext } = setting;
  const input = checkSchema(tool.input, args, 'its arguments');
  await meter.toolCall(tool.name, args);
  const given = (await tool.asSteps?.(input, { scope, name: step, agentId: '', traceContext })) ?? null;
  return screened(setting, step, given);
}

/** What the tool gave, as it may be kept and used. @throws AosError unprocessable `PII_BLOCKED` */
async function screened({ scope, egress }: OrchestrationSetting, step: string, given: JsonValue): Promise<JsonValue> {
  if (egress === undefined) return given;
  const { data, found } = (await egress(scope.run.caller.tenantId)).data(given);
  if (found === undefined) return data;
  const event = foundEvent(`${step}/result`, found, null);
  await scope.emit(event.key, event);
  if (found.taken === 'blocked') throw withheld('What the tool gave', found);
  return data;
}

/** What the tool may be used with; a node that is tried again is judged once. @throws AosError when it may not be used */
async function permittedUse({ governor, scope }: OrchestrationSetting, tool: Tool, step: string, args: JsonObject) {
  const input = checkSchema(tool.input, args, 'its arguments');
  const name = step.replace(/\/try-\d+$/, '');
  const title = `A graph wants to use ${tool.name}`;
  // Whoever has to agree to the node has been asked before.
  const hasBegun = scope.isSettled(step);
  const use = { name, agentId: null, tool, args, input, asksApproval: false, title, hasBegun };
  const permission = await permitTool(governor, scope, use);
  if (!('refusal' in permission)) return permission;
  const { event, refusal } = permission;
  if (event !== undefined) await scope.emit(event.key, event);
  throw refusal;
}

async function approval(
  { approvals, scope }: OrchestrationSetting,
  node: NodeOf<'approval'>,
  doing: Doing,
): Promise<JsonObject> {
  if (approvals === undefined) throw failure('there is nobody here to ask');
  const { step: name, view } = doing;
  const proposal: Proposal = {
    name,
    requestType: 'agent_action',
    actionType: node.action ?? node.id,
    agentId: null,
    args: objectOf(fillIn(node.arguments, view)),
  };
  const seconds = node.expires_in_seconds ?? node.timeout_seconds;
  const spec = seconds === undefined ? node : { ...node, expires_in_seconds: seconds };
  const outcome = await approvals.ask(scope, askOf(node, spec, proposal, view));
  if (outcome.decision !== 'approved' && node.on_reject === 'fail') throw refusalOf(outcome);
  return decisionOutput(outcome);
}

async function takeInput(
  setting: OrchestrationSetting,
  node: NodeOf<'input'>,
  { step, view }: Doing,
): Promise<JsonValue> {
  const { scope } = setting;
  const until = await endOfTime(setting, node, step);
  const signal = signalOf(node);
  const prompt = node.prompt === undefined ? undefined : asText(fillIn(node.prompt, view));
  const detail = { node: node.id, signal, ...(prompt === undefined ? {} : { prompt }) };
  const taken = await scope.wait({
    name: step,
    signal,
    reason: 'input',
    detail,
    ...(until === undefined ? {} : { until }),
  });
  if (taken !== undefined) return taken.payload;
  if (node.otherwise !== undefined) return fillIn(node.otherwise, view);
  throw new AosError('timed_out', `nothing came under the signal "${signal}" within ${node.timeout_seconds} s`, {
    retry: 'never',
  });
}

/** The name of the signal that an input node takes. */
export function signalOf({ id, signal }: NodeOf<'input'>): string {
  return signal ?? id;
}

async function runChild(
  setting: OrchestrationSetting,
  node: NodeOf<'orchestration'>,
  { step }: Doing,
  request: JsonObject,
): Promise<JsonObject> {
  const { scope } = setting;
  const until = await endOfTime(setting, node, step);
  const run = await scope.child(step, { request, ...(until === undefined ? {} : { deadlineAt: until }) });
  if (run.status === 'completed') {
    const summary = run.result?.['summary'] ?? null;
    return { run_id: run.id, status: run.status, summary, result: run.result };
  }
  const why = run.error?.message ?? run.cancelReason ?? 'no reason was given';
  throw new AosError(run.error?.code ?? 'cancelled', `its run ${run.id} ended as ${run.status}: ${why}`, {
    reason: CHILD_FAILED,
  });
}

/** When the node's time is up, as it was when the node was come to first. */
async function endOfTime(
  { scope, clock }: OrchestrationSetting,
  { timeout_seconds: seconds }: GraphNode,
  step: string,
): Promise<string | undefined> {
  if (seconds === undefined) return undefined;
  return scope.step(`${step}/deadline`, async () => isoTime(clock.now() + seconds * 1000));
}

function deadlineOf({ id, timeout_seconds: seconds }: GraphNode, code: Deadline['code']): Deadline | undefined {
  if (seconds === undefined) return undefined;
  return { seconds, code, message: `the node "${id}" did not end within ${seconds} s` };
}

function toolOf({ tools }: OrchestrationSetting, { tool: name }: NodeOf<'tool'>) {
  const tool = tools?.find(name);
  if (tool === undefined)
    throw failure(`there is no tool "${name}" (there are: ${tools?.all.map((one) => one.name).join(', ') || 'none'})`);
  return tool;
}

function transformed({ value, merge = [] }: NodeOf<'transform'>, view: GraphView): JsonValue {
  if (value !== undefined) return fillIn(value, view);
  const parts = merge.map((path) => valueAt(view, path) ?? null).filter((part) => part !== null);
  if (parts.every(isJsonObject)) return Object.assign({}, ...parts);
  if (parts.every(Array.isArray)) return parts.flat();
  return parts.map(asText).join('\n\n');
}

/** The JSON value that a text is, or that stands in its last code block. */
function jsonIn(text: string): JsonValue {
  const block = [...text.matchAll(/```(?:json)?\s*\n([\s\S]*?)```/g)].at(-1)?.[1];
  for (const candidate of [text, ...(block === undefined ? [] : [block])]) {
    try {
      return JSON.parse(candidate);
    } catch {
      // The next may be one.
    }
  }
  throw new AosError('model_failed', `the answer must be JSON, got "${text.trim().slice(0, 80)}"`, { retry: 'never' });
}

function objectOf(value: JsonValue): JsonObject {
  return isJsonObject(value) ? value : {};
}

function failure(message: string): AosError {
  return new AosError('unsupported', message);
}
