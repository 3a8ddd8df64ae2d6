import { readFile } from 'node:fs/promises';
import { describe, expect, it, test } from 'vitest';
import { quietScenario, readScenario } from '../../src/simulation/scenario.ts';
import { simulatedFabric } from '../../src/simulation/simulated-fabric.ts';

describe('a scenario', () => {
  it('needs nothing', () => {
    expect(readScenario('{}')).toEqual(quietScenario);
  });

  it('is what the sample is', async () => {
    const text = await readFile(new URL('../../scenarios/bad-monday.json', import.meta.url), 'utf8');
    const scenario = readScenario(text);
    expect(scenario).toMatchObject({ name: 'bad-monday', seed: 'monday', model: { error: 'busy' } });
    const { planes } = simulatedFabric(undefined, scenario, 'monday');
    expect(planes.map(({ name, vendor, settings }) => [name, vendor, settings['seed']])).toContainEqual([
      'ipaas',
      'simulated',
      'monday/ipaas',
    ]);
  });

  test.each([
    ['{', 'it is not JSON'],
    ['{"model":{"error_rate":2}}', 'model.error_rate'],
    ['{"model":{"outages":[[5,5]]}}', 'an outage begins before it ends'],
    ['{"planes":{"ipaas":{"latency":[1,2]}}}', 'planes.ipaas: Unrecognized key: "latency"'],
    ['{"seeds":"x"}', 'Unrecognized key: "seeds"'],
  ])('%s is refused with a sentence', (text, sentence) => {
    expect(() => readScenario(text)).toThrow(sentence);
  });

  it('names planes that are there', () => {
    const scenario = readScenario('{"planes":{"custom_x":{}}}');
    expect(() => simulatedFabric(undefined, scenario, 's')).toThrow('planes that are not there: custom_x');
  });
});
