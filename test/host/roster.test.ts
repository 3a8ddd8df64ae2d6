import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Member, Roster } from '../../src/host/roster.ts';

test('a roster holds who has come and not gone, in whatever order', () => {
  const changes = fc.array(fc.record({ comes: fc.boolean(), which: fc.nat(20) }), { maxLength: 200 });
  fc.assert(
    fc.property(changes, (series) => {
      const people: Member[] = Array.from({ length: 21 }, () => ({ place: -1 }));
      const expected = new Set<Member>();
      const roster = new Roster<Member>();
      for (const { comes, which } of series) {
        const member = people[which] ?? { place: -1 };
        if (comes === expected.has(member)) continue;
        if (comes) {
          roster.add(member);
          expected.add(member);
        } else {
          roster.delete(member);
          expected.delete(member);
        }
      }
      expect(roster.size).toBe(expected.size);
      const present = new Set(roster);
      expect([...expected].filter((member) => !present.has(member))).toEqual([]);
    }),
  );
});

test('who leaves while the roster is read is still met, once', () => {
  const people = [0, 1, 2].map((id) => ({ id, place: -1 }));
  const roster = new Roster<(typeof people)[number]>();
  for (const person of people) roster.add(person);
  const met: number[] = [];
  for (const person of roster) {
    roster.delete(person);
    met.push(person.id);
  }
  expect(met).toEqual([0, 1, 2]);
  expect(roster.size).toBe(0);
});
