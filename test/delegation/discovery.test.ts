import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AgentCard,
  agentHealths,
  agentKinds,
  agentRoles,
  capabilityKinds,
  capabilityOf,
  cardOf,
  certificationStatuses,
  type ListedAgent,
} from '../../src/delegation/agent-card.ts';
import { type AgentFilter, discover } from '../../src/delegation/discovery.ts';

const word = fc.constantFrom('invoice', 'weather', 'ship', 'audit');
const words = fc.uniqueArray(word, { maxLength: 3 });
const capability = fc
  .record({ id: word, kind: fc.constantFrom(...capabilityKinds), tags: words })
  .map(({ id, ...given }) => capabilityOf(id, given));

const anyAgent: fc.Arbitrary<ListedAgent> = fc
  .record({
    id: fc.string({ minLength: 1, maxLength: 4, unit: fc.constantFrom('a', 'b', 'c') }),
    kind: fc.constantFrom(...agentKinds),
    role: fc.constantFrom(...agentRoles),
    capabilities: fc.array(capability, { minLength: 1, maxLength: 4 }),
    trust: fc.integer({ min: 0, max: 100 }),
    certification: fc.constantFrom(...certificationStatuses),
    canDelegate: fc.boolean(),
    canAccept: fc.boolean(),
    tags: words,
    health: fc.constantFrom(...agentHealths),
  })
  .map(({ id, health, ...card }) => listed(id, card, health));

function listed(id: string, card: Partial<AgentCard>, health: ListedAgent['health'] = 'unknown'): ListedAgent {
  return {
    id,
    tenantId: 'acme',
    card: cardOf(id, card),
    isOurs: false,
    ownerId: '',
    health,
    healthDetail: null,
    checkedAt: null,
    registeredAt: null,
    updatedAt: null,
  };
}

const some = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });
const anyFilter: fc.Arbitrary<AgentFilter> = fc.record({
  ids: some(fc.array(fc.constantFrom('a', 'b', 'ab', 'ba', 'c'), { maxLength: 4 })),
  kinds: some(fc.subarray([...agentKinds])),
  roles: some(fc.subarray([...agentRoles])),
  capabilities: some(words),
  tags: some(words),
  capabilityKinds: some(fc.subarray([...capabilityKinds])),
  minTrust: some(fc.integer({ min: 0, max: 100 })),
  certifiedOnly: some(fc.boolean()),
  canDelegate: some(fc.boolean()),
  canAccept: some(fc.boolean()),
  health: some(fc.constantFrom(...agentHealths)),
  excludeUnhealthy: some(fc.boolean()),
});

describe('discovery', () => {
  test('with all filters finds exactly what each of them alone would leave', () => {
    fc.assert(
      fc.property(fc.array(anyAgent, { maxLength: 30 }), anyFilter, (agents, filter) => {
        const found = new Set(discover(agents, filter));
        // What one filter alone leaves; asking for the unhealthy by name is asking for the health.
        const alone = Object.entries(filter).map(([name, value]) => {
          const { health } = filter;
          const all = { excludeUnhealthy: false, [name]: value, ...(name === 'excludeUnhealthy' && { health }) };
          return new Set(discover(agents, all));
        });
        const usual = new Set(discover(agents, { excludeUnhealthy: filter.excludeUnhealthy, health: filter.health }));
        expect(found).toEqual(new Set(agents.filter((agent) => [usual, ...alone].every((left) => left.has(agent)))));
      }),
    );
  });

  test('shows the most trusted first, and always in the same order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyAgent, { selector: ({ id }) => id, maxLength: 20 }), (agents) => {
        const ids = discover(agents, { excludeUnhealthy: false }).map(({ id }) => id);
        expect(discover(agents.toReversed(), { excludeUnhealthy: false }).map(({ id }) => id)).toEqual(ids);
        const trusts = ids.map((id) => agents.find((one) => one.id === id)?.card.trust ?? 0);
        expect(trusts).toEqual(trusts.toSorted((one, other) => other - one));
      }),
    );
  });

  const billing = [listed('invoicer', { capabilities: [capabilityOf('invoice')], trust: 40, tags: ['finance'] })];
  const weather = listed('weatherman', { capabilities: [capabilityOf('weather', { tags: ['sky'] })], trust: 99 });
  test.each<[string, AgentFilter, string[]]>([
    ['a capability, and not the most trusted agent without it', { capabilities: ['invoice'] }, ['invoicer']],
    ['nothing where two capabilities meet in nobody', { capabilities: ['invoice', 'weather'] }, []],
    ['a tag of a capability', { tags: ['sky'] }, ['weatherman']],
    ['everybody for empty lists', { capabilities: [], tags: [], ids: [] }, ['weatherman', 'invoicer']],
    ['those that are trusted enough', { minTrust: 50 }, ['weatherman']],
  ])('finds %s', (_what, filter, ids) => {
    expect(discover([...billing, weather], filter).map(({ id }) => id)).toEqual(ids);
  });

  test('leaves out who is not well, unless they are asked for', () => {
    const ill = listed('ill', {}, 'unhealthy');
    expect(discover([ill, weather], {})).toEqual([weather]);
    expect(discover([ill, weather], { excludeUnhealthy: false })).toEqual([weather, ill]);
    expect(discover([ill, weather], { health: 'unhealthy' })).toEqual([ill]);
  });
});
