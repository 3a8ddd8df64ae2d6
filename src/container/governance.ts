/**
 * Governance put together: the rules from their files, the governor over them, and what is kept and told of its
 * verdicts. The governor is there in every environment; whether rules are enforced decides whether RACI and policy are
 * among its checks.
 */
import type { GovernanceConfig } from '../config/governance.ts';
import type { Clock } from '../core/clock.ts';
import type { Outbox } from '../egress/outbox.ts';
import type { Environment } from '../governance/action.ts';
import type { ActionPriceTable } from '../governance/action-price.ts';
import type { ApprovalDesk } from '../governance/approval-desk.ts';
import type { Governor, GovernorCheck } from '../governance/governor.ts';
import type { Rulebook } from '../governance/rulebook.ts';
import type { ApprovalDemand } from '../governance/verdict.ts';
import type { Caller } from '../runs/run.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import type { Parts } from './loading.ts';

export interface GovernanceOptions {
  readonly parts: Parts;
  readonly config: GovernanceConfig;
  readonly environment: Environment;
  readonly database: Database;
  readonly outbox: Pick<Outbox, 'enqueue'>;
  readonly approvals: ApprovalDesk;
  /** Names of the actions there are: each must have somebody who answers for it. */
  readonly actions: readonly string[];
  /** Beside RACI and policy, in every environment; the governor puts them in their order. */
  readonly checks: readonly GovernorCheck[];
  /** US dollars of one call, by patterns of action names. */
  readonly prices: ActionPriceTable;
  readonly clock: Clock;
  readonly log: Log;
}

/** @throws AosError invalid_request when a file of rules cannot be used */
export async function createGovernance(options: GovernanceOptions) {
  const { parts, config, environment, database, outbox, approvals, actions, checks, prices, clock, log } = options;
  const { enforced } = config;
  const decisions = parts.createDecisionStore({ database });
  let made: Promise<Rulebook> | undefined;
  let book: Rulebook | undefined;

  async function make(): Promise<Rulebook> {
    const conditions = await parts.loadConditions();
    const [matrix, policy] = await Promise.all([
      parts.loadMatrix(config.raciFile, actions),
      parts.loadPolicy(config.policyFile, conditions),
    ]);
    book = parts.createRulebook({ database, rules: { matrix, policy }, conditions, actions, clock, log });
    return book;
  }

  /** Where nothing is judged the library for conditions is not loaded until somebody asks. */
  function rulebook(): Promise<Rulebook> {
    made ??= make().then(async (rules) => {
      await rules.start();
      return rules;
    });
    return made;
  }

  const service = {
    async start(): Promise<void> {
      if (enforced) await rulebook();
    },
    stop: () => book?.stop(),
  };
  const shared = { enforced, environment, decisions, rulebook, service };
  const rules = enforced ? rulesOf((await rulebook()).of) : await rulesOfNobody();
  const inform = parts.createNotices({ database, outbox, matrixOf: rules.matrixOf, clock });
  const governor: Governor = parts.createGovernor({
    environment,
    prices: parts.createActionPrices(prices),
    tellsAll: enforced,
    checks: [...rules.checks, ...checks],
    context: rules.context,
    approvals,
    inform,
    keep: decisions.add,
    clock,
    log,
  });
  /** Who must agree to an act of administration: its accountable party, everybody where rules are not enforced. */
  function approversOf({ tenantId, userId }: Caller, type: string, at: number): ApprovalDemand | undefined {
    if (!enforced) return undefined;
    const matrix = rules.matrixOf(tenantId);
    const what = { kind: 'admin', type, target: null, actionClass: null, effect: 'write' } as const;
    const standing = parts.standingOf(matrix, { what });
    return standing && parts.demandOf(matrix.document, { party: standing.accountable, requesters: [userId], at });
  }

  return { ...shared, governor, approversOf, matrixOf: rules.matrixOf };

  function rulesOf(of: Rulebook['of']) {
    return {
      checks: parts.createRuleChecks(of),
      context: parts.createGovernanceContext(of),
      matrixOf: (tenantId: string) => of(tenantId).matrix,
    };
  }

  /** Where no rules are enforced there is still somebody who answers for what the other checks find. */
  async function rulesOfNobody() {
    const blueprint = await parts.loadMatrix(undefined, actions);
    const matrixOf = (tenantId: string) => book?.of(tenantId).matrix ?? blueprint;
    return { checks: [], context: parts.createUnenforcedContext(matrixOf), matrixOf };
  }
}
