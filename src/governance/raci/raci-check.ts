/**
 * The check of RACI: somebody answers for the action, whoever acts may, and parties that are consulted with a veto are
 * asked. It is also where the verdict gets its accountable and responsible parties from.
 */
import type { GovernedAction } from '../action.ts';
import { nameOfAction } from '../action.ts';
import type { Finding } from '../verdict.ts';
import { demandOf } from './approver.ts';
import { type Activity, accountableOf, type Matrix } from './matrix.ts';
import { isParty } from './matrix-rules.ts';

/** Who has to do with an action. */
export interface Standing {
  readonly activity: string;
  readonly responsible: readonly string[];
  readonly accountable: string;
  readonly consulted: readonly string[];
  readonly informed: readonly string[];
}

export function standingOf(matrix: Matrix, action: Pick<GovernedAction, 'what'>): Standing | undefined {
  const activity = matrix.activityOf(nameOfAction(action.what));
  if (activity === undefined) return undefined;
  const { name, responsible, consulted, informed } = activity;
  const accountable = accountableOf(activity);
  return { activity: name, responsible, accountable, consulted: consulted.map(({ party }) => party), informed };
}

/** What RACI finds; a pure function of matrix and action. Several parties with a veto are several findings. */
export function checkRaci(matrix: Matrix, action: GovernedAction): readonly Finding[] {
  const name = nameOfAction(action.what);
  const activity = matrix.activityOf(name);
  if (activity === undefined) {
    return [{ kind: 'deny', rule: 'no_activity', reason: `Nobody is accountable for ${name}: no activity covers it.` }];
  }
  if (!mayAct(activity, action.agentId)) {
    const who = action.agentId === null ? 'whoever asks for it is no agent' : `${action.agentId} is not among them`;
    const agents = activity.responsible.filter((each) => !isParty(each)).join(', ');
    return [{ kind: 'deny', rule: 'not_responsible', reason: `${activity.name} is done by ${agents}, and ${who}.` }];
  }
  const { effect } = action.what;
  const findings = activity.consulted
    .filter(({ blocking, effects }) => blocking && (effects === undefined || effects.includes(effect)))
    .map(({ party }): Finding => {
      const demand = demandOf(matrix.document, { party, requesters: [action.caller.userId], at: action.at });
      return { kind: 'hold', rule: `consult/${party}`, reason: `${party} must agree to ${activity.name}.`, demand };
    });
  const told = informedOf(activity, effect);
  const obligations = told.map((party) => ({ kind: 'inform', party }) as const);
  return [{ kind: 'pass', rule: activity.name, ...(told.length > 0 && { obligations }) }, ...findings];
}

/** Where agents are named as responsible, only they may act. */
function mayAct({ responsible }: Activity, agentId: string | null): boolean {
  const agents = responsible.filter((each) => !isParty(each));
  if (agents.length === 0) return true;
  return agentId !== null && (agents.includes('agent:*') || agents.includes(`agent:${agentId}`));
}

/** Parties that are told of an allowed action; those of a denied one are `informedOf(activity, 'denied')`. */
export function informedOf({ informed, inform_of: of }: Activity, event: Activity['inform_of'][number]) {
  return of.includes(event) ? informed : [];
}
