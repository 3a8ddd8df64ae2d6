import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Assignment, Contribution } from '../../../src/agents/brief.ts';
import { loadCatalogue } from '../../../src/agents/catalogue.ts';
import { simulatedAnswer } from '../../../src/agents/simulated/answer.ts';
import { positionIn } from '../../../src/agents/simulated/position.ts';
import type { JsonObject } from '../../../src/core/json.ts';

const catalogue = await loadCatalogue();
const officers = catalogue.enabled;
const [ceo, cfo, cmo] = ['ceo', 'cfo', 'cmo'].map((id) => {
  const agent = catalogue.find(id);
  if (agent === undefined) throw new Error(`no ${id}`);
  return agent;
}) as [(typeof officers)[0], (typeof officers)[0], (typeof officers)[0]];

const assignmentOf = (data: JsonObject): Assignment => ({
  task: { type: 'strategic_review', data },
  context: {},
  purpose: undefined,
  today: '2026-02-01',
});
const rich = assignmentOf({
  quarter: 'Q1-2026',
  revenue: 4_200_000,
  target_revenue: 4_500_000,
  costs: 3_900_000,
  cash: 6_500_000,
  burn_monthly: 950_000,
});
const position = (agent: typeof ceo, assignment: Assignment) =>
  simulatedAnswer({ kind: 'position', agent, assignment, group: officers });
const all = (assignment: Assignment): Contribution[] =>
  [ceo, cfo, cmo].map((agent) => ({ agent, text: position(agent, assignment) }));

describe('a simulated position', () => {
  it('works with the figures of the task, in the order that matters to the role', () => {
    const text = position(cfo, rich);
    expect(text).toContain('lasts 6.8 months');
    expect(text).toContain('a margin of 7.1 %');
    expect(text).toContain('bring the runway of 6 months above 12');
    expect(text.indexOf('months')).toBeLessThan(text.indexOf('margin'));
  });

  it('is another for every role', () => {
    const proposals = officers.map((agent) => positionIn(position(agent, rich)).proposals.join());
    expect(new Set(proposals).size).toBe(officers.length);
  });

  it('says so when there are no figures, works with the dates and asks for what is missing', () => {
    const text = position(cfo, assignmentOf({ quarter: 'Q1-2026' }));
    expect(text).toContain('The task carries no figures; I work with its dates.');
    expect(text).toContain('Q1-2026 runs 2026-01-01 to 2026-03-31, 90 days; 8 weeks are left');
    expect(positionIn(text).missing).toEqual(['cash', 'burn a month', 'revenue', 'costs']);
  });

  it('names the purpose it serves', () => {
    const purpose = { purpose: 'grow without debt', scope: 'this year' };
    expect(position(ceo, { ...rich, purpose })).toContain('(serving: grow without debt)');
  });
});

describe('a simulated revision', () => {
  it('answers each peer by what it said, and keeps its own proposals', () => {
    const [own, ...peers] = all(rich);
    const text = simulatedAnswer({ kind: 'revision', agent: ceo, assignment: rich, round: 2, own: own?.text, peers });
    for (const { agent, text: said } of peers) {
      expect(text).toContain(`${agent.config['title']} says “${positionIn(said).proposals[0]?.slice(0, 40)}`);
    }
    expect(positionIn(text).proposals.slice(0, 2)).toEqual(positionIn(own?.text ?? '').proposals);
  });

  it('understands peers that are not simulated', () => {
    const peers = [{ agent: cfo, text: 'We should **cut** costs. Then wait.' }];
    const text = simulatedAnswer({ kind: 'revision', agent: ceo, assignment: rich, round: 2, own: undefined, peers });
    expect(text).toContain('says “We should **cut** costs”');
  });
});

describe('a simulated handover', () => {
  it('takes up what came before, and the last one gathers it', () => {
    const earlier = all(rich).slice(0, 2);
    const text = simulatedAnswer({ kind: 'handover', agent: cmo, assignment: rich, earlier, last: true });
    expect(text).toContain('after Chief Executive Officer, Chief Financial Officer');
    for (const { text: said } of earlier) expect(positionIn(text).proposals).toContain(positionIn(said).proposals[0]);
  });
});

describe('a simulated synthesis', () => {
  it('decides with owners, and names open questions and missing data', () => {
    const text = simulatedAnswer({ kind: 'synthesis', agent: ceo, assignment: rich, contributions: all(rich) });
    expect(text).toContain('from 3 positions');
    expect(positionIn(text).proposals).toHaveLength(3);
    for (const agent of [ceo, cfo, cmo]) expect(text).toContain(`owner: ${agent.config['title']}`);
    expect(text).toMatch(/Open questions: .+\n/);
    expect(text).toContain('Missing data: customers, new customers, churn, marketing spend.');
    expect(text).toContain('This is the simulated model');
  });

  it('puts first what the others build on', () => {
    const contributions = all(rich).map(({ agent, text }) => ({
      agent,
      text: agent === cmo ? text : `${text}\nTogether with ${cmo.config['title']}: more.`,
    }));
    const text = simulatedAnswer({ kind: 'synthesis', agent: ceo, assignment: rich, contributions });
    expect(positionIn(text).proposals[0]).toContain('owner: Chief Marketing Officer');
  });
});

it('answers any task, the same way every time', () =>
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(...officers), (data, agent) => {
      const assignment = assignmentOf(JSON.parse(JSON.stringify(data)) as JsonObject);
      const text = position(agent, assignment);
      expect(text).toBe(position(agent, assignment));
      expect(text.length).toBeGreaterThan(100);
      expect(text).not.toMatch(/undefined|NaN|\[object/);
    }),
  ));
