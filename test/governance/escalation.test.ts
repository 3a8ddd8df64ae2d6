import { describe, expect, it } from 'vitest';
import { approvalPriorities, type EscalationLevel, levelSeconds, nextStop } from '../../src/governance/escalation.ts';

describe('the way through the levels', () => {
  it.each([
    ['low', ['team_lead']],
    ['medium', ['team_lead', 'manager']],
    ['high', ['manager', 'director']],
    ['critical', ['director', 'emergency']],
  ] as const)('of priority %s is %j', (priority, path) => {
    const way: string[] = [];
    let level: EscalationLevel = 'none';
    for (let stop = nextStop(priority, level, null); stop !== undefined; stop = nextStop(priority, level, null)) {
      level = stop.level;
      way.push(level);
    }
    expect(way).toEqual(path);
  });

  it.each([
    ['a level above', 'low', 'none', 'executive', { level: 'executive', person: null }],
    ['the present level', 'high', 'manager', 'manager', undefined],
    ['a level below', 'high', 'director', 'team_lead', undefined],
    ['no level', 'high', 'none', 'none', undefined],
    ['a person', 'high', 'none', 'dana', { level: 'manager', person: 'dana' }],
    ['a person past the last level', 'low', 'team_lead', 'dana', undefined],
  ] as const)('takes a wish for %s', (_, priority, level, wish, stop) => {
    expect(nextStop(priority, level, wish)).toEqual(stop);
  });

  it('gives each level the time of the priority', () => {
    expect(approvalPriorities.map((priority) => levelSeconds(priority) / 60)).toEqual([120, 60, 30, 15]);
  });
});
