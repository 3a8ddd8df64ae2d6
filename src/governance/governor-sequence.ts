/**
 * The governor at work: checks in their order, the verdict, what is kept of it, who is told. What only reads and may be
 * done as asked costs no write of its own; everything else is judged in a step, so that a run that is executed again
 * gets the verdict it got, whatever has become of the rules since.
 */
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { RunScope } from '../engine/engine.ts';
import type { GovernanceDecision, KeyedEvent } from '../runs/event.ts';
import type { Log } from '../telemetry/log.ts';
import { type Environment, type GovernedAction, nameOfAction } from './action.ts';
import type { ActionPrices } from './action-price.ts';
import type { ApprovalDesk } from './approval-desk.ts';
import type { ActionPlace, Demanded, Governor, GovernorCheck } from './governor.ts';
import { askApprovals } from './governor-approval.ts';
import { type DecisionFacts, decisionOf, gatherFindings, type Judgement } from './judgement.ts';
import type { ApprovalDemand } from './verdict.ts';
import { type CheckName, checkNames, type Finding, type Verdict } from './verdict.ts';

/** What the governor asks of the rules that hold for a tenant. */
export interface GovernanceContext {
  /** Who has to do with it, and which rules are used. */
  describe(action: GovernedAction): DecisionFacts;
  /** The arguments that are kept with a decision. */
  factsOf(action: GovernedAction, args: JsonObject): JsonObject;
  /** Whom an action asks that is made so that somebody must agree. */
  declaredDemand(action: GovernedAction, accountable: string | null): ApprovalDemand;
}

export interface GovernorParts {
  readonly environment: Environment;
  /**
   * Whether every verdict is told and kept, as where rules are enforced. When false, one to which no check had anything
   * to say leaves nothing behind: no event, no step, nobody told.
   */
  readonly tellsAll?: boolean;
  /** At most one of each name; those that are left out find nothing. */
  readonly checks: readonly GovernorCheck[];
  readonly context: GovernanceContext;
  /** What actions cost that say nothing of it themselves; nothing is known when left out. */
  readonly prices?: ActionPrices | undefined;
  /** Who is asked for approvals; what needs one is denied in its absence. */
  readonly approvals?: ApprovalDesk | undefined;
  /** Tells the informed; the same decision is told once. */
  readonly inform?: ((action: GovernedAction, decision: GovernanceDecision) => Promise<void>) | undefined;
  /** Keeps decisions about what happens in no run. */
  readonly keep?: ((action: GovernedAction, decision: GovernanceDecision) => Promise<void>) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** The checks that look at arguments, and so look again when an approver has edited them. */
const ARGUMENT_CHECKS: readonly CheckName[] = ['raci', 'screening', 'policy'];

/** What people made of a hold. */
interface Settled {
  readonly judgement: Judgement;
  readonly approvedBy: readonly string[];
  readonly edited: boolean;
}

/** What the checks found, and by which rules. */
interface Judged {
  readonly judgement: Judgement;
  readonly known: DecisionFacts;
}

/** A judgement as a run keeps it: the arguments only where they are not those that were asked for. */
type Stored<T extends { readonly judgement: Judgement }> = Omit<T, 'judgement'> & {
  readonly judgement: Omit<Judgement, 'args'> & { readonly args: JsonObject | null };
};

export function createGovernor(parts: GovernorParts): Governor {
  const { environment, tellsAll = true, context, prices, approvals, inform, keep, clock, log } = parts;
  const checks = checkNames.flatMap((name) => parts.checks.filter((each) => each.name === name));
  if (checks.length < parts.checks.length || new Set(checks.map(({ name }) => name)).size < checks.length) {
    throw new Error('the governor has two checks of one name');
  }

  async function judge(
    action: GovernedAction,
    known: DecisionFacts,
    scope: RunScope | undefined,
    only: readonly CheckName[] = checkNames,
  ): Promise<Judgement> {
    const found = gatherFindings(action.args);
    const { accountable, responsible } = known;
    for (const check of checks) {
      if (!only.includes(check.name)) continue;
      const asked = found.args === action.args ? action : { ...action, args: found.args };
      const given = { scope, demands: found.demands, accountable, responsible };
      let findings: Finding | readonly Finding[];
      try {
        const answer = check.check(asked, given);
        findings = answer instanceof Promise ? await answer : answer;
      } catch (thrown) {
        if (scope?.signal.aborted === true) throw scope.signal.reason;
        log.error('a check of the governor failed', { check: check.name, action: action.name, error: asError(thrown) });
        findings = { kind: 'deny', rule: 'failed', reason: `The check "${check.name}" could not be made.` };
      }
      if (found.add(check.name, isMany(findings) ? findings : [findings])) return found.judgement();
    }
    if (action.asksApproval === true && found.demands.length === 0) {
      const demand = context.declaredDemand(action, accountable);
      const reason = 'It is made so that somebody has to agree.';
      found.add('approval', [{ kind: 'hold', rule: 'declared', reason, demand }]);
    }
    return found.judgement();
  }

  /** What people say to it, and what the rules say to what they made of it. */
  async function askPeople(
    desk: ApprovalDesk,
    scope: RunScope,
    action: GovernedAction,
    held: Judgement,
    known: DecisionFacts,
  ): Promise<Settled> {
    const answer = await askApprovals(desk, scope, { ...action, args: held.args }, held.demands);
    if (answer.kind === 'refused') return refusedBy(held, answer.rule, answer.reason);
    const { args, by, edited } = answer;
    const allowed: Judgement = { ...held, kind: 'allow', reason: `${by.join(', ')} agreed.`, args };
    if (!edited) return { judgement: allowed, approvedBy: by, edited };
    const again = await judge({ ...action, args }, known, scope, ARGUMENT_CHECKS);
    if (again.kind === 'deny') return { judgement: again, approvedBy: by, edited };
    const news = again.demands.find(({ rule }) => !held.demands.some((each) => each.rule === rule));
    if (news === undefined) return { judgement: { ...allowed, args: again.args }, approvedBy: by, edited };
    const reason = `What the approvers made of it needs somebody else to agree: ${news.reason}`;
    return refusedBy(held, news.rule, reason);
  }

  /** Where nothing was said that is to be kept; what is made so that somebody must agree is asked for all the same. */
  async function unspoken(
    scope: RunScope | undefined,
    action: GovernedAction,
    judgement: Judgement,
    known: DecisionFacts,
  ): Promise<Verdict> {
    if (judgement.kind !== 'hold' || scope === undefined || approvals === undefined) {
      return verdictOf(judgement, known, undefined, [], false);
    }
    const settled = await askPeople(approvals, scope, action, judgement, known);
    return verdictOf(settled.judgement, known, undefined, settled.approvedBy, settled.edited);
  }

  return {
    async allow(place, proposed) {
      const { scope, runId, caller } = placeOf(place);
      const { name, what } = proposed;
      const costUsd = proposed.costUsd ?? prices?.(nameOfAction(what));
      const action: GovernedAction = { ...proposed, costUsd, runId, caller, environment, at: clock.now() };
      const verdictStep = `${name}/verdict`;
      const stored = restored<Judged>(scope?.recorded(verdictStep), action.args);
      const known = stored?.known ?? context.describe(action);
      // What has been done, or was begun without a word to keep, goes on as it did.
      const begun = proposed.hasBegun === true || scope?.isSettled(name) === true;
      if (stored === undefined && begun) return verdictOf(done(action.args), known, undefined, [], false);
      const judgement = stored?.judgement ?? (await judge(action, known, scope));
      const isTold = stored !== undefined || tellsAll || !isPlain(judgement, action.args);
      if (!isTold) return unspoken(scope, action, judgement, known);
      const admission = 'becomes' in place ? place : undefined;
      if (judgement.kind !== 'allow' && (await admission?.isThere()) === true) {
        return verdictOf(done(action.args), known, undefined, [], false);
      }
      const decide = (judged: Judgement) => decisionOf(action, judged, known, context.factsOf(action, judged.args));
      const decision = decide(judgement);
      const tell = async (told: GovernanceDecision) => {
        if (inform !== undefined && (judgement.obligations.length > 0 || told.verdict === 'deny')) {
          await inform(action, told);
        }
      };
      if (scope === undefined) {
        if (judgement.kind !== 'hold') await tell(decision);
        if (admission !== undefined && judgement.kind === 'allow') {
          return verdictOf(judgement, known, event(`${name}:decided`, decision), [], false);
        }
        if (admission?.canWait === true && judgement.kind === 'hold') {
          return verdictOf(judgement, known, event(`${name}:held`, decision), [], false);
        }
        if (keep !== undefined && (what.effect !== 'read' || judgement.kind !== 'allow')) await keep(action, decision);
        return verdictOf(judgement, known, undefined, [], false);
      }
      const isAsAsked = judgement.kind === 'allow' && judgement.args === action.args;
      if (what.effect === 'read' && stored === undefined && isAsAsked) {
        await tell(decision);
        return verdictOf(judgement, known, event(`${name}:decided`, decision), [], false);
      }
      const keyed = event(judgement.kind === 'hold' ? `${name}:held` : `${name}:decided`, decision);
      await scope.step<JsonValue>(
        verdictStep,
        async () => {
          if (judgement.kind !== 'hold') await tell(decision);
          return kept({ judgement, known }, action.args);
        },
        { effect: 'write', event: () => keyed },
      );
      if (judgement.kind !== 'hold') return verdictOf(judgement, known, undefined, [], false);
      const outcomeStep = `${name}/verdict-outcome`;
      const outcome =
        restored<Settled>(scope.recorded(outcomeStep), action.args) ??
        (approvals === undefined
          ? refusedBy(judgement, judgement.rule, `${judgement.reason} There is nobody here to ask.`)
          : await askPeople(approvals, scope, action, judgement, known));
      const { approvedBy, edited } = outcome;
      const final: GovernanceDecision = {
        ...decide(outcome.judgement),
        outcome: true,
        approved_by: [...approvedBy],
        edited,
      };
      await scope.step<JsonValue>(
        outcomeStep,
        async () => {
          await tell(final);
          return kept(outcome, action.args);
        },
        { effect: 'write', event: () => event(`${name}:decided`, final) },
      );
      return verdictOf(outcome.judgement, known, undefined, approvedBy, edited);
    },
  };
}

function verdictOf(
  judgement: Judgement,
  { accountable, responsible }: DecisionFacts,
  told: KeyedEvent | undefined,
  approvedBy: readonly string[],
  edited: boolean,
): Verdict {
  const { kind, rule, reason, obligations, args, code, retryAfterMs, demands, refusal } = judgement;
  const base = { rule, reason, accountable, responsible, obligations, args, event: told };
  if (kind === 'allow') return { ...base, kind, approvedBy, edited };
  if (kind === 'deny') return { ...base, kind, code, refusal, ...(retryAfterMs !== null && { retryAfterMs }) };
  return { ...base, kind, demand: wholeDemand(demands) };
}

/** All demands as one, for whoever cannot ask one after the other. */
function wholeDemand(demands: readonly Demanded[]): ApprovalDemand {
  return {
    parties: [...new Set(demands.flatMap(({ demand }) => demand.parties))],
    assignees: [...new Set(demands.flatMap(({ demand }) => demand.assignees))],
    quorum: Math.max(1, ...demands.map(({ demand }) => demand.quorum)),
  };
}

function refusedBy(held: Judgement, rule: string, reason: string): Settled {
  const judgement: Judgement = { ...held, kind: 'deny', rule, reason, code: 'cancelled' };
  return { judgement, approvedBy: [], edited: false };
}

/** Whether no check had more to say than that it passes, be it that the action itself wants somebody to agree. */
function isPlain({ checks, obligations, shadow, args }: Judgement, asked: JsonObject): boolean {
  const said = checks.filter((check) => check !== 'approval:hold:declared');
  return (
    said.every((check) => check.split(':')[1] === 'pass') &&
    obligations.length === 0 &&
    shadow === null &&
    args === asked
  );
}

/** For an action whose step is stored: whatever it gave it gives again. */
function done(args: JsonObject): Judgement {
  const found = gatherFindings(args).judgement();
  return { ...found, rule: 'done', reason: 'It has been done already.' };
}

function kept<T extends { readonly judgement: Judgement }>(judged: T, asked: JsonObject): JsonObject {
  const { judgement } = judged;
  const stored: Stored<T> = {
    ...judged,
    judgement: { ...judgement, args: judgement.args === asked ? null : judgement.args },
  };
  return stored as unknown as JsonObject;
}

function restored<T extends { readonly judgement: Judgement }>(
  value: JsonValue | undefined,
  asked: JsonObject,
): T | undefined {
  if (value === undefined) return undefined;
  // What was stored under this name is what `kept` made.
  const stored = value as unknown as Stored<T>;
  return { ...stored, judgement: { ...stored.judgement, args: stored.judgement.args ?? asked } } as unknown as T;
}

function event(key: string, data: GovernanceDecision): KeyedEvent {
  return { key, type: 'governance.decided', data };
}

function placeOf(place: ActionPlace) {
  if ('step' in place) return { scope: place, runId: place.run.id, caller: place.run.caller };
  if ('becomes' in place) return { scope: undefined, runId: place.becomes, caller: place.caller };
  return { scope: undefined, runId: 'id' in place ? place.id : null, caller: place.caller };
}

function isMany(findings: Finding | readonly Finding[]): findings is readonly Finding[] {
  return Array.isArray(findings);
}
