import { describe, expect, it } from 'vitest';
import type { Assignment, Contribution } from '../../../src/agents/brief.ts';
import { loadCatalogue } from '../../../src/agents/catalogue.ts';
import { simulatedTeamwork } from '../../../src/agents/simulated/teamwork.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { assignmentsIn } from '../../../src/orchestration/assignments.ts';
import { namedIn, saysDone } from '../../../src/orchestration/group-chat.ts';
import { handoverIn } from '../../../src/orchestration/handoff.ts';
import { testAgent } from '../../support/agents.ts';

const catalogue = await loadCatalogue();
const [ceo, cfo, cmo] = ['ceo', 'cfo', 'cmo'].map((id) => catalogue.find(id) ?? testAgent(id)) as [
  ReturnType<typeof testAgent>,
  ReturnType<typeof testAgent>,
  ReturnType<typeof testAgent>,
];
const assignmentOf = (task: JsonObject, change: Partial<Assignment> = {}): Assignment => ({
  task,
  context: {},
  purpose: undefined,
  today: '2026-02-01',
  ...change,
});
const review = assignmentOf({
  type: 'budget_review',
  data: { revenue: 4_200_000, costs: 3_900_000, quarter: 'Q1-2026' },
});

describe('the simulated model', () => {
  it('as a lead gives everybody a part that can be read back', () => {
    const text = simulatedTeamwork({ kind: 'assign', agent: ceo, assignment: review, workers: [cfo, cmo] });
    const parts = assignmentsIn(text, [cfo, cmo]);
    expect([...parts.keys()]).toEqual(['cfo', 'cmo']);
    expect(parts.get('cfo')).toContain('margin');
    expect(text).toContain('a margin of 7.1 %');
  });

  it('as a worker takes up its part and works with the figures', () => {
    const brief = { kind: 'work', agent: cfo, assignment: review, lead: ceo, plan: 'p', part: 'price it' } as const;
    const text = simulatedTeamwork(brief);
    expect(text).toContain('“price it”');
    expect(text).toContain('a margin of 7.1 %');
    expect(simulatedTeamwork({ ...brief, part: undefined })).toContain('the part Chief Executive Officer gave me.');
  });

  it('in a discussion answers the one before it, and concludes when everybody has spoken twice', () => {
    const group = [ceo, cfo];
    const transcript: Contribution[] = [];
    for (let left = 5; left >= 0; left--) {
      const agent = group[transcript.length % 2] ?? ceo;
      const text = simulatedTeamwork({
        kind: 'discussion',
        agent,
        assignment: review,
        group,
        transcript: [...transcript],
        left,
      });
      transcript.push({ agent, text });
      if (saysDone(text)) break;
    }
    expect(transcript).toHaveLength(4);
    expect(transcript[1]?.text).toContain('Chief Executive Officer says “');
    expect(transcript[3]?.text).toContain('Agreed:\n1. ');
    expect(new Set(transcript.map(({ text }) => text)).size).toBe(4);
  });

  it('chooses as next speaker who has spoken least', () => {
    const said = (agent: typeof ceo) => ({ agent, text: 'x' });
    const candidates = [ceo, cfo, cmo];
    const text = simulatedTeamwork({
      kind: 'selection',
      agent: ceo,
      assignment: review,
      candidates,
      transcript: [said(ceo), said(cfo)],
    });
    expect(namedIn(text, candidates)).toBe(cmo);
  });

  it('hands a matter over to whose field the task names, once, and answers what is its own', () => {
    const campaign = assignmentOf({ question: 'How do we win customers with the brand campaign?' });
    const brief = { kind: 'delegation', agent: ceo, assignment: campaign, delegates: [cfo, cmo], earlier: [] } as const;
    const asked = { ...brief, received: undefined, refused: undefined };
    expect(handoverIn(simulatedTeamwork(asked))).toMatchObject({ to: 'cmo' });
    const received = { from: ceo, reason: 'it is marketing' };
    const answer = simulatedTeamwork({ ...asked, agent: cmo, delegates: [ceo, cfo], received });
    expect(handoverIn(answer)).toBeUndefined();
    expect(answer).toContain('it is marketing');
    // Told that it may not, and with whom it names gone before: it answers.
    expect(handoverIn(simulatedTeamwork({ ...asked, refused: 'cmo' }))).toBeUndefined();
    expect(handoverIn(simulatedTeamwork({ ...asked, earlier: [{ agent: cmo, text: 'x' }] }))).toBeUndefined();
  });

  it('in a cycle serves the purpose, hears the others and varies what it does', () => {
    const purpose = { purpose: 'grow without debt', scope: 'EU' };
    const assignment = assignmentOf({}, { purpose, context: { revenue: 4_200_000, costs: 3_900_000 } });
    const latest = [{ agent: cfo, text: 'I propose:\n1. Cut the costs.' }];
    const cycle = (number: number) =>
      simulatedTeamwork({ kind: 'cycle', agent: ceo, assignment, cycle: number, latest });
    expect(cycle(1)).toContain('for “grow without debt”');
    expect(cycle(1)).toContain('a margin of 7.1 %');
    expect(cycle(1)).toContain('I heard: Cut the costs — Chief Financial Officer.');
    expect(cycle(2)).not.toContain(cycle(1).split('I propose:')[1] ?? '');
  });

  it('says the same to the same brief', () => {
    const brief = { kind: 'assign', agent: ceo, assignment: review, workers: [cfo] } as const;
    expect(simulatedTeamwork(brief)).toBe(simulatedTeamwork(brief));
  });
});
