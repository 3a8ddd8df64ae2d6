import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadValidators } from '../../src/governance/screening/detector/validators.ts';
import { createRules } from '../../src/governance/screening/detector.ts';
import { createEgress } from '../../src/governance/screening/egress.ts';
import { defaultPolicy, type ScreeningAction } from '../../src/governance/screening/policy.ts';
import { createTestDatabase } from '../support/database.ts';
import { actionIdOf, fabricConfig, simulatedPlane, startTestFabric, type TestFabric } from '../support/fabric-run.ts';

const rules = createRules(await loadValidators(), []);
let url: string;
let fabric: TestFabric | undefined;

beforeAll(async () => {
  url = await createTestDatabase();
});
afterEach(() => fabric?.[Symbol.asyncDispose]());

/** What is kept of an answer that names the customer it was asked about. */
async function answerWith(action: ScreeningAction) {
  const egress = async () => createEgress(rules, { ...defaultPolicy, action });
  fabric = await startTestFabric({ url, config: fabricConfig({ ipaas: simulatedPlane() }), egress });
  const run = await fabric.route({ entityId: 'jo@example.com' });
  expect(run.status).toBe('completed');
  const { result } = await fabric.record(actionIdOf(run));
  expect(run.result).toMatchObject({ result: { response: result?.['response'] } });
  return result?.['response'];
}

describe('what a plane answers', () => {
  it('is kept with tokens where personal data are redacted', async () => {
    expect(await answerWith('REDACT')).toMatchObject({ simulated: true, entity_id: '[EMAIL]' });
  });

  it('is kept as what it held where they are blocked: what was done was done', async () => {
    expect(await answerWith('BLOCK')).toEqual({
      withheld: 'PII_BLOCKED',
      pii_types_found: ['email'],
      match_count: 1,
    });
  });

  it('is kept as it came where they are warned about', async () => {
    expect(await answerWith('WARN')).toMatchObject({ entity_id: 'jo@example.com' });
  });
});
