/** What the governance API does. */
import type { JsonObject } from '../core/json.ts';
import { actionType, targetSystem } from '../fabric/action.ts';
import type { FabricContexts } from '../fabric/fabric-context.ts';
import type { Fleet } from '../fabric/fleet.ts';
import { type Preset, parsePreset } from '../fabric/preset.ts';
import { planesFor } from '../fabric/routing-table.ts';
import type { Environment } from '../governance/action.ts';
import type { Budget, BudgetDocument } from '../governance/budget/budget.ts';
import type { DecisionFilter, DecisionStore, KeptDecision } from '../governance/decision-store.ts';
import { whatIf } from '../governance/policy/what-if.ts';
import type { DocumentKind, Rulebook, Rules } from '../governance/rulebook.ts';
import type { ScreeningBook } from '../governance/screening/screening-book.ts';
import type { ScreeningRules } from '../governance/screening/screening-document.ts';
import { checkSpan } from './asked-span.ts';
import {
  askWhatIf,
  getAccountable,
  getGovernanceDocument,
  listGovernanceDecisions,
  listGovernanceVersions,
  putGovernanceDocument,
} from './governance-spec.ts';
import { type Operation, overseerOf, realize } from './operation.ts';

export interface GovernanceOperationParts {
  readonly governance: {
    /** Whether the server judges actions. */
    readonly enforced: boolean;
    readonly environment: Environment;
    /** Made when it is first asked for, where nothing is judged. */
    rulebook(): Promise<Rulebook>;
    readonly decisions: DecisionStore;
  };
  readonly screeningBook: ScreeningBook;
  /** Where actions go; nothing is rerouted when left out. */
  readonly fabric?:
    | { readonly contexts: Pick<FabricContexts, 'of' | 'overrides'>; readonly fleet: Pick<Fleet, 'find'> }
    | undefined;
}

export function createGovernanceOperations({
  governance,
  screeningBook,
  fabric,
}: GovernanceOperationParts): readonly Operation[] {
  const { decisions, enforced, environment } = governance;
  const show = (kind: DocumentKind, rules: Rules) => {
    const { hash, document } = kind === 'raci' ? rules.matrix : rules.policy;
    return { kind, hash, document: document as unknown as JsonObject, enforced, environment };
  };

  // Screening is always on, whether or not actions are judged.
  const showScreening = ({ hash, document }: ScreeningRules) => {
    return { kind: 'screening' as const, hash, document, enforced: true, environment };
  };

  async function routes(tenantId: string, preset: Preset | undefined) {
    if (fabric === undefined || preset === undefined) return undefined;
    const [present, overrides] = await Promise.all([fabric.contexts.of(tenantId), fabric.contexts.overrides(tenantId)]);
    /** The plane an action of a decision would take first, were all of them well; null for what none takes. */
    const first = ({ kind, target: named, type: asked }: KeptDecision, by: Preset): string | null => {
      if (kind !== 'fabric' || named === null) return null;
      const [target, type] = [targetSystem(named), actionType(asked)];
      const order = planesFor(by, target, type, overrides);
      return order.find((name) => fabric.fleet.find(tenantId, name)?.bindingFor(target, type) !== undefined) ?? null;
    };
    return {
      before: (decision: KeptDecision) => first(decision, present.preset),
      after: (decision: KeptDecision) => first(decision, preset),
    };
  }

  return [
    realize(getGovernanceDocument, async ({ kind }, { caller }) => {
      if (kind === 'screening') return showScreening(screeningBook.of(caller.tenantId));
      const rulebook = await governance.rulebook();
      return show(kind, rulebook.of(caller.tenantId));
    }),
    realize(putGovernanceDocument, async ({ kind, document }, { caller: { tenantId, userId } }) => {
      const by = userId === '' ? 'system' : `user:${userId}`;
      if (kind === 'screening') {
        return showScreening(await screeningBook.replace(tenantId, document as JsonObject, by));
      }
      const rulebook = await governance.rulebook();
      return show(kind, await rulebook.replace(tenantId, kind, document as JsonObject, by));
    }),
    realize(listGovernanceVersions, async ({ kind, limit }, { caller }) => {
      const kept =
        kind === 'screening'
          ? await screeningBook.history(caller.tenantId, limit)
          : await (await governance.rulebook()).history(caller.tenantId, kind, limit);
      return {
        items: kept.map(({ hash, writtenBy, writtenAt, content }) => ({
          hash,
          written_by: writtenBy,
          written_at: writtenAt,
          document: content,
        })),
      };
    }),
    realize(listGovernanceDecisions, async ({ limit, ...filter }, context) => {
      const kept = await decisions.list(overseerOf(context), {
        ...filterOf(filter),
        limit,
      });
      return { items: kept.map(viewDecision) };
    }),
    realize(getAccountable, async (filter, context) => {
      const found = await decisions.accountable(overseerOf(context), filterOf(filter));
      return {
        items: found.map(({ agentId, approvedBy, firstAt, lastAt, ...counts }) => ({
          ...counts,
          agent_id: agentId,
          approved_by: [...approvedBy],
          first_at: firstAt,
          last_at: lastAt,
        })),
      };
    }),
    realize(askWhatIf, async ({ policy, raci, preset, budget, budgets, limit, ...filter }, context) => {
      const { caller } = context;
      const rulebook = await governance.rulebook();
      const present = rulebook.of(caller.tenantId);
      const rules = {
        ...present,
        ...(policy !== undefined && rulebook.read('policy', policy as JsonObject)),
        ...(raci !== undefined && rulebook.read('raci', raci as JsonObject)),
      };
      const route = await routes(caller.tenantId, preset === undefined ? undefined : parsePreset(preset));
      const report = whatIf({
        decisions: await decisions.list(overseerOf(context), { ...filterOf(filter), limit }),
        rules,
        kept: present.policy.document.keep,
        ...(route !== undefined && { route }),
        ...(budget !== undefined && { budget: { limitUsd: budget.limit_usd, per: budget.per } }),
        ...(budgets !== undefined && { budgets: budgetsOf(caller.tenantId, budgets) }),
      });
      return structuredClone(report) as Mutable<typeof report>;
    }),
  ];
}

function budgetsOf(tenantId: string, documents: Readonly<Record<string, BudgetDocument>>): readonly Budget[] {
  return Object.entries(documents).map(([id, { subject = null, ...same }]) => ({ ...same, subject, id, tenantId }));
}

interface AskedFilter {
  readonly target?: string | undefined;
  readonly action?: string | undefined;
  readonly agent_id?: string | undefined;
  readonly run_id?: string | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

/** @throws AosError invalid_request when it ends before it begins */
function filterOf({ agent_id: agentId, run_id: runId, ...same }: AskedFilter): Omit<DecisionFilter, 'limit'> {
  checkSpan(same);
  return { ...same, agentId, runId };
}

function viewDecision(decision: KeptDecision) {
  const { runId, approved_by: approvedBy = [], ...known } = decision;
  return { ...known, run_id: runId, approved_by: approvedBy };
}

type Mutable<T> = { -readonly [Member in keyof T]: Mutable<T[Member]> };
