/**
 * Screening as a check of the governor: what comes in, and what agents do things with, is screened before anything is
 * done with it. Nothing is looked at where there is nothing to find: settings, and reads that no model had a word in.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { type GovernedAction, nameOfAction } from '../action.ts';
import type { CheckContext, GovernorCheck } from '../governor.ts';
import type { Finding } from '../verdict.ts';
import type { DataGuard } from './data-guard.ts';

/**
 * Members of bodies that say how the work is done and not what it is: names of what exists here, addresses and times.
 * They are checked as such, and have no place for words.
 */
const CONTROL: ReadonlySet<string> = new Set([
  'id',
  'orchestration_id',
  'task_id',
  'job_id',
  'run_id',
  'signal_id',
  'session_id',
  'agent_id',
  'agent_ids',
  'workflow',
  'task_type',
  'type',
  'status',
  'priority',
  'target_system',
  'action_type',
  'callback_url',
  'scheduled_at',
  'schedule',
  'idempotency_key',
  'correlation_id',
  'trace_id',
]);

export function createScreeningCheck(guard: DataGuard): GovernorCheck {
  return {
    name: 'screening',
    check(action, context) {
      if (!isScreened(action)) return NOTHING;
      return look(guard, action, context);
    },
  };
}

const NOTHING: Finding = { kind: 'pass', rule: 'nothing' };

function isScreened({ what, agentId, args }: GovernedAction): boolean {
  // Settings say what is allowed, also by name; whoever asks to have something screened wants to know.
  if (what.kind === 'admin' || what.kind === 'screening') return false;
  // Messages of agents are screened where they come in, as strictly as their sender asks.
  if (what.kind === 'a2a' && agentId !== null) return false;
  if (what.effect === 'read' && agentId === null) return false;
  for (const name in args) if (Object.hasOwn(args, name)) return true;
  return false;
}

async function look(guard: DataGuard, action: GovernedAction, { scope }: CheckContext): Promise<Finding> {
  const { args, caller, runId, agentId, what, name } = action;
  const [control, content] = isWork(action) ? parted(args) : [undefined, args];
  const where = nameOfAction(what);
  const subject = runId ?? what.entityId ?? '';
  // In a run its log tells what was found, once however often the run is executed.
  const seen = await guard.look(content, { caller, where, subject, agentId, silent: scope !== undefined });
  const { taken, types, matches, policy, error } = seen.result;
  if (taken === 'allowed' || taken === 'bypassed')
    return { kind: 'pass', rule: taken === 'allowed' ? 'clean' : 'bypassed' };
  await scope?.emit(`${name}:screened`, {
    type: 'screening.found',
    data: {
      where: name,
      direction: 'in',
      policy,
      taken,
      types: [...types],
      risk: seen.result.risk,
      count: matches.length,
      paths: [...new Set(matches.map(({ path }) => path))].slice(0, 50),
      ...(agentId !== null && { agent_id: agentId }),
    },
  });
  if (seen.refusal !== undefined) {
    const { message, facts } = seen.refusal;
    return {
      kind: 'deny',
      rule: error === undefined ? 'blocked' : 'unscreened',
      reason: message,
      code: 'unprocessable',
      refusal: { reason: 'PII_BLOCKED', facts },
    };
  }
  if (taken !== 'redacted') return { kind: 'pass', rule: 'warned' };
  return {
    kind: 'pass',
    rule: 'redacted',
    reason: `Personal data was taken out of it: ${types.join(', ')}.`,
    args: control === undefined ? asObject(seen.data) : whole(args, control, asObject(seen.data)),
    obligations: [{ kind: 'redacted', types: [...types] }],
  };
}

/** Whether the arguments are the body of work that comes in, rather than what something is done with. */
function isWork({ what }: GovernedAction): boolean {
  return what.kind === 'run' || what.kind === 'task' || what.kind === 'job';
}

function parted(args: JsonObject): [JsonObject, JsonObject] {
  const control: JsonObject = {};
  const content: JsonObject = {};
  for (const [name, value] of Object.entries(args)) (CONTROL.has(name) ? control : content)[name] = value;
  return [control, content];
}

/** The members in the order in which they came. A name that was replaced stands where its value would. */
function whole(asked: JsonObject, control: JsonObject, content: JsonObject): JsonObject {
  const args: JsonObject = {};
  for (const name of Object.keys(asked)) {
    const value = control[name] ?? content[name];
    if (value !== undefined) args[name] = value;
  }
  return { ...args, ...content };
}

function asObject(value: JsonValue): JsonObject {
  return isJsonObject(value) ? value : {};
}
