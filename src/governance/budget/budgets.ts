/**
 * Budgets as runs meet them. Before a step that spends, what it may use at most is set aside in every budget that counts
 * it; where one has too little the run waits (`waiting: budget`), for others to give back what they have not used, for
 * the window to turn, or for somebody to add to the budget. Then the same step goes on.
 *
 * Where a tenant has no budgets nothing is asked of the database.
 */
import { type Clock, isoTime } from '../../core/clock.ts';
import { AosError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { RunScope } from '../../engine/engine.ts';
import { type Run, type RunKey, runKey } from '../../runs/run.ts';
import type { RunStore } from '../../runs/run-store.ts';
import { persist } from '../../store/persist.ts';
import type { Log } from '../../telemetry/log.ts';
import type { StandingDesk } from '../approval-desk.ts';
import type { ApprovalDemand } from '../verdict.ts';
import {
  accountsOf,
  type Budget,
  concernsRun,
  concernsStep,
  type Dimension,
  type Spender,
  type Spending,
  secondsOf,
  unknownTo,
} from './budget.ts';
import type { BudgetBook } from './budget-book.ts';
import type { BudgetLedger, ReserveOutcome, Shortage } from './budget-ledger.ts';
import { exceeded, isBusy, shortageText, suggestedAmount, unpriced } from './shortage.ts';

/** A step that is going to spend. */
export interface StepSpending extends Spending {
  /** Name of the step; what is set aside is settled when it is stored. */
  readonly step: string;
  /** For people: what spends, such as `the model gpt-4o`. */
  readonly what: string;
}

export interface Budgets {
  /** Whether any budget may have to do with such a step; a look into memory. */
  concern(run: Run, kind: string, agentId: string | null): boolean;
  /**
   * Sets aside what a step may use at most; to be called before the step, outside of any. May wait, for days.
   * @throws AosError limit_exceeded when nobody adds to a budget that has too little; the scope's reason
   */
  reserve(scope: RunScope, spending: StepSpending): Promise<void>;
  /**
   * The same for an attempt at a task, which spends a run and its time: nobody asked a budget when it was admitted. To
   * be called before anything else. What belongs to another run is counted with that one.
   */
  begin(scope: RunScope): Promise<void>;
}

export interface BudgetsParts {
  readonly book: Pick<BudgetBook, 'of' | 'find'>;
  readonly ledger: Pick<BudgetLedger, 'reserve' | 'topUp' | 'awaitRoom'>;
  /** Who is asked to add to a budget. */
  readonly desk: StandingDesk;
  readonly runs: Pick<RunStore, 'load'>;
  /** What the run does, e.g. `collaborative`. */
  readonly workflowOf: (run: Pick<Run, 'kind' | 'request'>) => string;
  /** Who must agree to more; everybody of the tenant when it says nothing. */
  readonly approversOf?: ((run: Run, at: number) => ApprovalDemand | undefined) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a run stays in memory for others to give back what they have set aside, and how long it waits then. */
const BUSY_MS = 2_000;
const BUSY_WAIT_MS = 60_000;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 400;
/** How long somebody has to add to a budget. */
const PATIENCE_SECONDS = 7 * 24 * 3600;
const FAMILIES = 1000;
/** What is set aside for an attempt as a whole; the end of its run settles it (`end_budget` of the database). */
const ATTEMPT_STEP = 'attempt';

/** Why a run waits, as a step stores it. */
type Breach = {
  kind: 'busy' | 'used_up';
  budget_id: string;
  account: string;
  amount: number;
  there_is: number;
  committed: number;
  reserved: number;
  overdrawn: number;
  starts: string | null;
  renews_at: string | null;
  /** ISO-8601 UTC: when a busy budget is looked at again in any case. */
  until: string;
  dimension: Dimension;
  /** What is said of it, and how much is asked for. */
  text: string;
  suggested: number;
};

export function createBudgets(parts: BudgetsParts): Budgets {
  const { book, ledger, desk, clock, log } = parts;
  /** Workflows of families, by the run at the top. */
  const families = new Map<RunKey, string>();

  async function spenderOf(scope: RunScope): Promise<Spender> {
    const { run } = scope;
    const { id: runId, rootId, caller } = run;
    const root = runKey(caller.tenantId, rootId);
    let workflow = rootId === runId ? parts.workflowOf(run) : families.get(root);
    if (workflow === undefined) {
      workflow = parts.workflowOf((await scope.aside(() => parts.runs.load(root))) ?? run);
      if (families.size >= FAMILIES) families.clear();
      families.set(root, workflow);
    }
    return { tenantId: caller.tenantId, runId, rootId, workflow };
  }

  /** Tries for a moment while others have only set aside what is missing. @returns what is missing still */
  async function setAside(scope: RunScope, spender: Spender, spending: StepSpending): Promise<Shortage | undefined> {
    const { signal } = scope;
    const { tenantId, runId } = spender;
    const until = clock.monotonic() + BUSY_MS;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      const asks = accountsOf(book.of(tenantId), spender, spending, clock.now());
      if (asks.length === 0) return undefined;
      const order = { tenantId, runId, step: spending.step, asks };
      const outcome = await persist(() => ledger.reserve(order), { clock, log, signal });
      if (outcome.kind === 'granted' || outcome.kind === 'kept') return undefined;
      if (outcome.kind === 'ended') throw new AosError('cancelled', 'The run has ended.');
      const shortage = worstOf(outcome);
      if (!isBusy(shortage) || clock.monotonic() >= until) return shortage;
      await clock.sleep(pause, signal);
    }
  }

  async function makeRoom(
    scope: RunScope,
    spender: Spender,
    spending: StepSpending,
    shortage: Shortage | undefined,
    nth: number,
  ): Promise<void> {
    const name = `${spending.step}/budget-${nth}`;
    const before = scope.recorded(`${spending.step}/budget-${nth - 1}/breach`) as Breach | undefined;
    const breach = await scope.step<Breach>(
      `${name}/breach`,
      async () => {
        if (shortage === undefined) throw new Error(`nothing is known of the breach ${name}`);
        return breachOf(spender, spending, shortage, before?.kind === 'busy');
      },
      {
        event: (found) =>
          found.kind === 'busy'
            ? []
            : { key: `${name}/breach`, type: 'budget.breached', data: breachEvent(spender, spending, found) },
      },
    );
    const { budget_id: budgetId, account, amount: needed } = breach;
    const run = { id: spender.runId, tenantId: spender.tenantId };
    if (breach.kind === 'busy') {
      const signal = `budget/${name}`;
      await scope.step(`${name}/line`, async () => {
        await ledger.awaitRoom(run, signal, { budgetId, account, amount: needed });
        return null;
      });
      const detail = { budget_id: budgetId, account };
      await scope.wait({ name: `${name}/room`, signal, reason: 'budget', until: breach.until, detail });
      return;
    }
    const outcome = await desk.askUnless(scope, askOf(scope, name, breach, spending), {
      reason: 'budget',
      until: breach.renews_at,
      needless: 'there is room in the budget again',
      requested: (signal) => ledger.awaitRoom(run, signal, { budgetId, account, amount: needed }),
    });
    if (outcome.decision === 'needless') return;
    if (outcome.decision !== 'approved') {
      const who =
        outcome.decision === 'timeout' ? 'Nobody added to it in time' : `${outcome.by.join(', ')} added nothing`;
      throw exceeded(breach, `${who}: ${outcome.reason}`);
    }
    const { approvalId: key, args, by } = outcome;
    const amount = args['amount'];
    // An amount that is none adds nothing: they are asked again.
    if (typeof amount !== 'number' || !(amount > 0)) return;
    const budget = book.find(spender.tenantId, budgetId);
    // Somebody has removed it meanwhile.
    if (budget === undefined) return;
    await scope.step(
      `${name}/top-up`,
      () =>
        ledger.topUp({
          budget,
          account,
          amount,
          starts: breach.starts,
          ends: breach.renews_at,
          key,
          by: by.length === 0 ? 'system' : by.join(', '),
          reason: '',
        }),
      { effect: 'write' },
    );
  }

  function breachOf(spender: Spender, spending: StepSpending, shortage: Shortage, wasBusy: boolean): Breach {
    const { budgetId, account, amount, thereIs, committed, reserved, overdrawn } = shortage;
    const at = clock.now();
    const budget = book.find(spender.tenantId, budgetId);
    if (budget === undefined) throw new Error(`the budget ${budgetId} was there a moment ago`);
    const ask = accountsOf([budget], spender, spending, at).find((each) => each.account === account);
    const renewsAt = ask?.ends ?? null;
    return {
      kind: isBusy(shortage) && !wasBusy ? 'busy' : 'used_up',
      budget_id: budgetId,
      account,
      amount,
      there_is: thereIs,
      committed,
      reserved,
      overdrawn,
      starts: ask?.starts ?? null,
      renews_at: renewsAt,
      until: isoTime(at + BUSY_WAIT_MS),
      dimension: budget.dimension,
      text: shortageText(budget, shortage, renewsAt),
      suggested: suggestedAmount(budget, shortage),
    };
  }

  function breachEvent(spender: Spender, { step, agentId }: StepSpending, breach: Breach) {
    const { budget_id, account, amount, there_is, committed, reserved, overdrawn, renews_at } = breach;
    const { scope, dimension, window } = book.find(spender.tenantId, budget_id) ?? unknownBudget;
    const used = committed + overdrawn;
    const counted = { asked: amount, used, reserved, there_is, renews_at };
    return { step, budget_id, account, scope, dimension, window, ...counted, agent_id: agentId };
  }

  function askOf(
    scope: RunScope,
    name: string,
    { budget_id, account, dimension, suggested, text }: Breach,
    { agentId, what }: StepSpending,
  ) {
    const { run } = scope;
    const { assignees, quorum, escalateTo } = parts.approversOf?.(run, clock.now()) ?? { assignees: [], quorum: 1 };
    const args: JsonObject = { budget_id, account, dimension, amount: suggested };
    return {
      name,
      title: `Add to the budget "${budget_id}"`,
      description: `${text} Waiting for it: ${what}. Approve with another "amount" to add that much.`,
      requestType: 'resource_allocation',
      actionType: 'budget:top_up',
      agentId,
      args,
      assignees,
      quorum,
      expiresInSeconds: PATIENCE_SECONDS,
      ...(escalateTo !== undefined && { escalateTo }),
    } as const;
  }

  /** @param concerns whether any of the budgets may have to do with it */
  async function makeSure(
    scope: RunScope,
    spending: StepSpending,
    concerns: (budgets: readonly Budget[]) => boolean,
  ): Promise<void> {
    const { tenantId } = scope.run.caller;
    for (let nth = 1; ; nth++) {
      // An execution before this one has come so far: what it began to wait for is seen to its end.
      const isKnown = scope.isSettled(`${spending.step}/budget-${nth}/breach`);
      if (!isKnown && !concerns(book.of(tenantId))) return;
      const spender = await spenderOf(scope);
      if (isKnown) {
        await makeRoom(scope, spender, spending, undefined, nth);
        continue;
      }
      const [unknown] = unknownTo(book.of(tenantId), spender, spending);
      if (unknown !== undefined) throw unpriced(unknown, spending.what);
      const shortage = await scope.aside(() => setAside(scope, spender, spending));
      if (shortage === undefined) return;
      await makeRoom(scope, spender, spending, shortage, nth);
    }
  }

  return {
    concern: ({ caller }, kind, agentId) => concernsStep(book.of(caller.tenantId), kind, agentId),
    async reserve(scope, spending) {
      // It has been done, and was settled then.
      if (scope.isSettled(spending.step)) return;
      const { kind, agentId } = spending;
      await makeSure(scope, spending, (budgets) => concernsStep(budgets, kind, agentId));
    },
    async begin(scope) {
      const { caller, parentId, createdAt, deadlineAt } = scope.run;
      if (parentId !== null) return;
      const asked = deadlineAt === null ? undefined : (Date.parse(deadlineAt) - Date.parse(createdAt)) / 1000;
      const amounts = { runs: 1, wall_clock_seconds: secondsOf(book.of(caller.tenantId), asked) };
      await makeSure(scope, { step: ATTEMPT_STEP, kind: 'run', agentId: null, what: 'A task', amounts }, concernsRun);
    },
  };
}

const unknownBudget = { scope: 'tenant', dimension: 'tokens', window: 'run' } as const;

/** One that is used up before one that others have only set aside. */
function worstOf({ shortages }: Extract<ReserveOutcome, { kind: 'refused' }>): Shortage {
  return shortages.find((each) => !isBusy(each)) ?? shortages[0];
}
