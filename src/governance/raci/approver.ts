/** Whom to ask, when a party is to agree: its people who are there, their substitutes, and where it goes after that. */
import { isLevel } from '../escalation.ts';
import { distinct, isAmong } from '../person.ts';
import type { ApprovalDemand } from '../verdict.ts';
import type { MatrixDocument } from './matrix.ts';

export interface ApproverWish {
  readonly party: string;
  readonly quorum?: number | undefined;
  readonly priority?: ApprovalDemand['priority'];
  /** Those who want the action: they cannot agree to it. */
  readonly requesters: readonly string[];
  /** Epoch milliseconds: who is away then is not asked. */
  readonly at: number;
}

/**
 * The demand of a party. Substitutes are asked only as far as the party's own people are too few; with `*` among the
 * people everybody of the tenant may decide.
 */
export function demandOf({ parties }: Pick<MatrixDocument, 'parties'>, wish: ApproverWish): ApprovalDemand {
  const { party, quorum = 1, priority, requesters, at } = wish;
  const free = (names: readonly string[]) => names.filter((name) => !isAmong(name, requesters));
  let assignees: string[] = [];
  const seen = new Set<string>();
  let circle = [party];
  let everybody = !Object.hasOwn(parties, party);
  while (circle.length > 0 && !everybody) {
    const names = circle.flatMap((each) => presentPeople(parties, each, at));
    everybody = names.includes('*');
    assignees = distinct([...assignees, ...names]);
    if (free(assignees).length >= quorum) break;
    for (const each of circle) seen.add(each);
    circle = circle.flatMap((each) => parties[each]?.substitutes ?? []).filter((each) => !seen.has(each));
  }
  const escalateTo = escalation(parties, party, at);
  return {
    parties: [party],
    assignees: everybody ? [] : assignees,
    quorum,
    ...(priority !== undefined && { priority }),
    ...(escalateTo !== undefined && { escalateTo }),
  };
}

/** A level, or the first person who is there of the party it goes to. */
function escalation(parties: MatrixDocument['parties'], party: string, at: number): string | undefined {
  const above = parties[party]?.escalates_to;
  if (above === undefined || isLevel(above)) return above;
  return presentPeople(parties, above, at).find((name) => name !== '*');
}

function presentPeople(parties: MatrixDocument['parties'], party: string, at: number): string[] {
  return (parties[party]?.people ?? []).flatMap((person) => {
    if (typeof person === 'string') return [person];
    return person.away_until !== undefined && at < Date.parse(person.away_until) ? [] : [person.name];
  });
}
