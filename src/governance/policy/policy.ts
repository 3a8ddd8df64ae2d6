/**
 * A policy at work: which rules speak about an action, and what follows. Deterministic and without I/O: the same policy
 * and the same input give the same decision, now and when it is decided again.
 *
 * A rule that denies outweighs one that holds, which outweighs one that allows. Where no rule speaks, reading is allowed
 * everywhere and asking for work or for a change of settings too, changing something else only in development. A rule that denies or holds and cannot be judged (it asks for
 * something that is not there) denies; one that allows is then silent.
 */
import { createHash } from 'node:crypto';
import { AosError } from '../../core/errors.ts';
import { canonicalJson, isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { checkSchema } from '../../core/schema-check.ts';
import { type ActionKind, type GovernedAction, nameOfAction } from '../action.ts';
import { covers } from '../glob.ts';
import type { ShadowFinding } from '../verdict.ts';
import type { Condition, ConditionCompiler, ConditionInput } from './condition.ts';
import { type PolicyDocument, type PolicyRule, policySchema } from './rule.ts';

/** What the rules say together. */
export interface PolicyDecision {
  readonly kind: 'allow' | 'deny' | 'hold';
  /** Id of the rule that decided; `default.…` where none did. */
  readonly rule: string;
  readonly reason: string;
  /** Of a hold: the rules that want an approval, each with its approvers. */
  readonly holds: readonly PolicyRule[];
  /** What rules that are only watched would have said, when it is more than this. */
  readonly shadow: ShadowFinding | undefined;
  /** Rules that could not be judged. */
  readonly unclear: readonly string[];
}

export interface Policy {
  readonly document: PolicyDocument;
  /** SHA-256 of the document, hex. */
  readonly hash: string;
  decide(input: ConditionInput): PolicyDecision;
  /** The arguments that are kept with a decision. */
  factsOf(args: JsonObject): JsonObject;
}

interface CompiledRule extends PolicyRule {
  readonly holds: Condition;
  readonly shadow: boolean;
}

/** What only asks for something that is judged itself when it is done, or what operators do to the server. */
const WORK: readonly ActionKind[] = ['run', 'task', 'job', 'admin'];

const RANK = { deny: 0, hold: 1, allow: 2 } as const;

/**
 * A document as a policy.
 * @param what for the message, e.g. the file
 * @throws AosError invalid_request with every fault
 */
export function createPolicy(given: unknown, compiler: ConditionCompiler, what: string): Policy {
  const document = checkSchema(policySchema, given as JsonValue, what);
  const faults: string[] = [];
  const rules = document.rules.map((rule): CompiledRule => {
    const compiled = compiler.compile(rule.when ?? 'true');
    if (typeof compiled === 'object')
      faults.push(`the condition of the rule "${rule.id}" cannot be used: ${compiled.fault}`);
    if (rule.effect !== 'hold' && (rule.approvers ?? rule.quorum ?? rule.priority) !== undefined) {
      faults.push(`the rule "${rule.id}" names approvers, a quorum or a priority, and does not hold anything`);
    }
    const holds = typeof compiled === 'object' ? () => undefined : compiled;
    return { ...rule, holds, shadow: (rule.mode ?? document.mode) === 'shadow' };
  });
  const ids = document.rules.map(({ id }) => id);
  const twice = [...new Set(ids.filter((id, index) => ids.indexOf(id) !== index))];
  if (twice.length > 0) faults.push(`several rules have the id ${twice.join(', ')}`);
  if (faults.length > 0) {
    throw new AosError('invalid_request', `${what} cannot be used: ${faults.join('; ')}.`, {
      reason: 'POLICY_INVALID',
      details: faults.map((message) => ({ code: 'policy', message })),
    });
  }
  const ordered = rules.toSorted((one, other) => RANK[one.effect] - RANK[other.effect]);
  const enforced = ordered.filter(({ shadow }) => !shadow);
  const hasShadow = enforced.length < ordered.length;
  return {
    document,
    hash: createHash('sha256')
      .update(canonicalJson(document as unknown as JsonObject))
      .digest('hex'),
    decide(input) {
      const said = judge(enforced, input, document.mode === 'shadow');
      if (!hasShadow) return said;
      const watched = judge(ordered, input, false);
      const { kind, rule, reason } = watched;
      if (kind === 'allow' || RANK[kind] >= RANK[said.kind]) return said;
      return { ...said, shadow: { kind, rule, reason } };
    },
    factsOf(args) {
      const facts: JsonObject = {};
      for (const path of document.keep) {
        const value = path.split('.').reduce<JsonValue | undefined>(member, args);
        if (value === undefined || typeof value === 'object' || isLong(value)) continue;
        facts[path] = value;
      }
      return facts;
    },
  };
}

/** @param lenient where nothing is enforced, the default neither */
function judge(rules: readonly CompiledRule[], input: ConditionInput, lenient: boolean): PolicyDecision {
  const name = String(input['name']);
  const unclear: string[] = [];
  const holds: PolicyRule[] = [];
  let allowing: PolicyRule | undefined;
  for (const rule of rules) {
    if (rule.actions !== undefined && !rule.actions.some((pattern) => covers(pattern, name))) continue;
    // Denials come first, then holds: once something holds, allowances need not be asked any more.
    if (rule.effect === 'allow' && (holds.length > 0 || allowing !== undefined)) break;
    const holding = rule.holds(input);
    if (holding === undefined) unclear.push(rule.id);
    if (holding === undefined && rule.effect !== 'allow') {
      const reason = `The rule "${rule.id}" cannot be judged on this action, which is denied therefore: it asks for something that is not there.`;
      return { kind: 'deny', rule: rule.id, reason, holds: [], shadow: undefined, unclear };
    }
    if (holding !== true) continue;
    if (rule.effect === 'deny') {
      return { kind: 'deny', rule: rule.id, reason: rule.reason, holds: [], shadow: undefined, unclear };
    }
    if (rule.effect === 'hold') holds.push(rule);
    else allowing = rule;
  }
  const [first] = holds;
  if (first !== undefined) {
    return { kind: 'hold', rule: first.id, reason: first.reason, holds, shadow: undefined, unclear };
  }
  const base = { holds: [], shadow: undefined, unclear };
  if (allowing !== undefined) return { kind: 'allow', rule: allowing.id, reason: allowing.reason, ...base };
  return { ...byDefault(input, lenient), ...base };
}

function byDefault(input: ConditionInput, lenient: boolean): Pick<PolicyDecision, 'kind' | 'rule' | 'reason'> {
  const { effect, environment, name, kind } = input;
  if (effect === 'read') return { kind: 'allow', rule: 'default.read', reason: 'What only reads is allowed.' };
  if (environment === 'development') {
    return { kind: 'allow', rule: 'default.development', reason: 'In development what no rule denies is allowed.' };
  }
  if (WORK.some((known) => known === kind)) {
    const reason = 'Work may be asked for and the server administered; what is done in its course is judged there.';
    return { kind: 'allow', rule: 'default.work', reason };
  }
  if (lenient) return { kind: 'allow', rule: 'default.shadow', reason: 'The policy is only watched.' };
  const reason = `No rule allows ${String(name)}: outside of development what changes something is denied unless a rule allows it.`;
  return { kind: 'deny', rule: 'default.deny', reason };
}

/** The members of CEL's `action`. What is not there is an empty text, so that comparing with it is no fault. */
export function conditionInput(action: GovernedAction): ConditionInput {
  const { what, agentId, caller, environment, args, costUsd } = action;
  return {
    name: nameOfAction(what),
    kind: what.kind,
    type: what.type,
    target: what.target ?? '',
    class: what.actionClass ?? '',
    effect: what.effect,
    entity: what.entityId ?? '',
    agent: agentId ?? '',
    user: caller.userId,
    tenant: caller.tenantId,
    environment,
    cost_usd: costUsd ?? 0,
    args,
  };
}

function member(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** A text that long is no word of a policy; a number of that many digits may be a card's or a telephone's. */
function isLong(value: JsonValue): boolean {
  if (typeof value === 'string') return value.length > 40;
  return typeof value === 'number' && Math.abs(value) >= 1e9;
}
