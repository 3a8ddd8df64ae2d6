/**
 * How each role looks at a task: which findings it puts first, what it proposes on them, what it fears and what it
 * wants to know. Proposals are rules over the findings; where a finding is missing the proposal says how to get it.
 */
import type { Agent } from '../agent.ts';
import { dueDay } from './calendar.ts';
import { percent, type TaskData, written } from './figure.ts';
import { type Insight, type Measure, measureIn, type Topic } from './insight.ts';

export type Lens =
  | 'leadership'
  | 'finance'
  | 'marketing'
  | 'operations'
  | 'technology'
  | 'people'
  | 'strategy'
  | 'generalist';

/** What a role has before it when it makes up its mind. */
export interface View {
  readonly data: TaskData;
  readonly insights: readonly Insight[];
  /** ISO date. */
  readonly today: string;
}

export interface Perspective {
  readonly lens: Lens;
  /** The findings it mentions first. */
  readonly topics: readonly Topic[];
  readonly needs: readonly Measure[];
  propose(view: View): readonly [string, string];
  risk(view: View): string;
  /** What it makes of a proposal that comes from another role. */
  responseTo(lens: Lens): string;
}

/** The lens of an agent, by its adapter, else by its id, else by its capabilities. */
export function perspectiveOf(agent: Agent): Perspective {
  const words = [agent.adapter_name, agent.agent_id, agent.agent_type, ...agent.capabilities].map((word) =>
    word.toLowerCase(),
  );
  for (const word of words) {
    const found = LENS_WORDS.find(([, pattern]) => pattern.test(word));
    if (found !== undefined) return perspectives[found[0]];
  }
  return perspectives.generalist;
}

const LENS_WORDS: readonly (readonly [Lens, RegExp])[] = [
  ['leadership', /^leadership$|^ceo/],
  ['finance', /financ|^cfo|budget/],
  ['marketing', /market|brand|^cmo|sales/],
  ['operations', /operation|^coo|supply|process/],
  ['technology', /technolog|^cto|architect|engineer|software/],
  ['people', /people|human|^chro|talent|workforce/],
  ['strategy', /strateg|^cso|scenario|competit/],
];

/** How measures are asked for. */
export const measureName: Readonly<Record<Measure, string>> = {
  revenue: 'revenue',
  cost: 'costs',
  profit: 'profit',
  cash: 'cash',
  burn: 'burn a month',
  marketing: 'marketing spend',
  newCustomers: 'new customers',
  customers: 'customers',
  headcount: 'headcount',
  churn: 'churn',
};

/** Below this many months a company that loses money has to act on cash before anything else. */
const SHORT_RUNWAY_MONTHS = 12;
const THIN_MARGIN = 0.2;
const HIGH_CONCENTRATION = 0.5;

const insightOn = (view: View, topic: Topic) => view.insights.find((insight) => insight.topic === topic);
const by = (view: View, share: number) => `by ${dueDay(view.data.period, view.today, share)}`;
const span = (view: View) => view.data.period?.label ?? 'the next 12 weeks';
const measured = (view: View, measure: Measure) => {
  const figure = measureIn(view.data, measure);
  return figure === undefined ? undefined : written(figure);
};

export const perspectives: Readonly<Record<Lens, Perspective>> = {
  leadership: {
    lens: 'leadership',
    topics: ['gap', 'growth', 'margin', 'runway', 'share'],
    needs: ['revenue', 'cost', 'cash'],
    propose(view) {
      const gap = insightOn(view, 'gap');
      const runway = insightOn(view, 'runway');
      const focus =
        runway !== undefined && runway.value < SHORT_RUNWAY_MONTHS
          ? `Put cash first in ${span(view)}: no new commitment that is not paid back within the runway, reviewed with the CFO ${by(view, 0.25)}`
          : gap !== undefined && gap.value < 0
            ? `Make closing the gap of ${percent(-gap.value)} on ${gap.about} the one priority of ${span(view)} and stop what does not serve it, decided ${by(view, 0.25)}`
            : `Fix at most three priorities for ${span(view)} and one number for each ${by(view, 0.15)}; what is on neither list stops`;
      return [focus, `Hold one review ${by(view, 0.5)} with a written rule for what is continued, changed or stopped`];
    },
    risk: () => 'too many priorities at once, so that none of them gets the people it needs',
    responseTo: (lens) =>
      lens === 'finance'
        ? 'I make its condition the gate for every other proposal'
        : 'I support it as long as it has one owner and one number',
  },
  finance: {
    lens: 'finance',
    topics: ['runway', 'margin', 'gap', 'growth', 'unit'],
    needs: ['cash', 'burn', 'revenue', 'cost'],
    propose(view) {
      const runway = insightOn(view, 'runway');
      const margin = insightOn(view, 'margin');
      const first =
        runway !== undefined && runway.value < SHORT_RUNWAY_MONTHS
          ? `Freeze hiring and uncommitted spend now and bring the runway of ${Math.floor(runway.value)} months above ${SHORT_RUNWAY_MONTHS} ${by(view, 0.6)}`
          : margin !== undefined && margin.value < THIN_MARGIN
            ? `Lift the margin from ${percent(margin.value)} to ${percent(THIN_MARGIN)}: a list of the ten largest costs with a decision on each ${by(view, 0.25)}`
            : margin !== undefined
              ? `Hold the margin of ${percent(margin.value)} as the floor: every proposal of ${span(view)} shows that it stays above it`
              : `Set a spending envelope for ${span(view)} ${by(view, 0.15)} and release it in two halves, the second only on results`;
      const spend = measured(view, 'marketing');
      const second =
        spend === undefined
          ? `Close a forecast with a base, a better and a worse case ${by(view, 0.3)}, updated every month`
          : `Release the marketing spend of ${spend} in steps, each against the payback of the one before`;
      return [first, second];
    },
    risk: (view) => {
      const share = insightOn(view, 'share');
      return share !== undefined && share.value > HIGH_CONCENTRATION
        ? `dependence on one part: ${percent(share.value)} of ${share.about} comes from the largest`
        : 'costs that start at once and returns that come later, or not';
    },
    responseTo: (lens) =>
      lens === 'leadership'
        ? 'I can fund it inside the envelope'
        : 'I agree on the condition of a budget, a date and a threshold at which it is stopped',
  },
  marketing: {
    lens: 'marketing',
    topics: ['unit', 'growth', 'gap', 'share'],
    needs: ['customers', 'newCustomers', 'churn', 'marketing'],
    propose(view) {
      const unit = view.insights.find((insight) => insight.about.startsWith('acquisition cost'));
      const share = insightOn(view, 'share');
      const churn = measured(view, 'churn');
      const first =
        churn !== undefined
          ? `Work on staying before winning: interview ten customers who left, then one change against the churn of ${churn} ${by(view, 0.4)}`
          : share !== undefined
            ? `Put the next campaign of ${span(view)} behind the largest part of ${share.about} (${percent(share.value)}) and test one other with a tenth of the money`
            : `Choose one customer group and one message for ${span(view)} ${by(view, 0.2)}, and measure from first contact to payment`;
      const second =
        unit === undefined
          ? `Run two small acquisition tests ${by(view, 0.5)}, each with a budget, a threshold and an end`
          : `Cut the acquisition cost (${unit.text.split(' is ')[1] ?? 'as computed'}) by a fifth ${by(view, 0.7)}: stop the weakest channel, move its money to the best`;
      return [first, second];
    },
    risk: () => 'a promise in the market that the product or the operation does not keep',
    responseTo: (lens) =>
      lens === 'finance'
        ? 'I accept the gate, and ask that the test budget is released before it so that there is something to judge'
        : 'I can carry it to customers once the date is firm',
  },
  operations: {
    lens: 'operations',
    topics: ['unit', 'gap', 'margin', 'share'],
    needs: ['headcount', 'cost', 'customers'],
    propose(view) {
      const heads = measured(view, 'headcount');
      return [
        `Find the one constraint on delivery in ${span(view)} ${by(view, 0.2)} and move people and money there before anything else`,
        heads === undefined
          ? `Write the plan of ${span(view)} backwards from its last day, with the last responsible moment of each handover, ${by(view, 0.3)}`
          : `Take two process steps out ${by(view, 0.6)} instead of adding to the ${heads} people there are`,
      ];
    },
    risk: () => 'more started than the constraint can finish, so that everything is late together',
    responseTo: (lens) =>
      lens === 'marketing'
        ? 'I need the expected volumes per week before it starts'
        : 'I schedule it behind the constraint, not beside it',
  },
  technology: {
    lens: 'technology',
    topics: ['unit', 'growth', 'margin', 'gap'],
    needs: ['headcount', 'cost', 'customers'],
    propose(view) {
      const growth = insightOn(view, 'growth');
      return [
        growth !== undefined && growth.value > 0
          ? `Test the systems at twice today's load ${by(view, 0.4)}, because ${growth.about} grew ${percent(growth.value)}, and fix what breaks first`
          : `Deliver the riskiest part of ${span(view)} first, as a slice that is useful alone, ${by(view, 0.4)}`,
        `Set one reliability target and one recovery time ${by(view, 0.25)} and measure them from then on`,
      ];
    },
    risk: () => 'a one-way door taken in a hurry: a platform or contract that is costly to leave',
    responseTo: (lens) =>
      lens === 'marketing'
        ? 'I can have the measurement in place before the first test'
        : 'I see no technical obstacle; I want the smallest version first',
  },
  people: {
    lens: 'people',
    topics: ['unit', 'growth', 'gap'],
    needs: ['headcount', 'churn', 'cost'],
    propose(view) {
      const heads = measured(view, 'headcount');
      const perHead = view.insights.find((insight) => insight.about === 'revenue per head');
      return [
        heads === undefined
          ? `Make one table of skills that ${span(view)} needs against those there are ${by(view, 0.2)}`
          : `Fill the gaps from the ${heads} people there are: name what each team stops when it starts something, ${by(view, 0.25)}`,
        perHead === undefined
          ? `Tell teams what changes, in one message from their own lead, ${by(view, 0.15)}`
          : `Hire only where ${perHead.text.split(' (')[0]} rises with it; everything else by training or moving, decided ${by(view, 0.4)}`,
      ];
    },
    risk: () => 'key people who carry several priorities at once and leave first',
    responseTo: (lens) =>
      lens === 'finance'
        ? 'I agree if it is told before it is felt, with the reason'
        : 'I ask who does it and what they stop doing',
  },
  strategy: {
    lens: 'strategy',
    topics: ['growth', 'share', 'gap', 'margin'],
    needs: ['revenue', 'customers', 'churn'],
    propose(view) {
      const share = insightOn(view, 'share');
      return [
        `Write down ${by(view, 0.25)} what must be true for the plan of ${span(view)} to work, and test the least certain of it first`,
        share !== undefined && share.value > HIGH_CONCENTRATION
          ? `Build a second leg: ${percent(share.value)} of ${share.about} in one place is a strategic risk; pick the next ${by(view, 0.5)}`
          : `Prepare two scenarios beside the expected one ${by(view, 0.4)}, each with its early sign and a first move`,
      ];
    },
    risk: () => 'a good period on the old course that hides that the course is wrong',
    responseTo: (lens) =>
      lens === 'leadership'
        ? 'I agree, and add the sign by which we notice that it was wrong'
        : 'I agree as a test; I doubt it as a commitment',
  },
  generalist: {
    lens: 'generalist',
    topics: ['gap', 'growth', 'margin', 'unit', 'share', 'runway'],
    needs: ['revenue', 'cost'],
    propose: (view) => [
      `Agree ${by(view, 0.2)} on one measurable outcome for ${span(view)} and who owns it`,
      `Do the smallest step that would show whether it works ${by(view, 0.4)}`,
    ],
    risk: () => 'work that starts before it is clear how its success would be seen',
    responseTo: () => 'I can build on it',
  },
};
