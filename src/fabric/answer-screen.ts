/** What a plane answered, as it may be kept: with the action it goes to agents, people and the results of runs. */
import type { DataGuard } from '../governance/screening/data-guard.ts';
import type { ConnectorResult } from './connector.ts';

/** What has been done has been done: with BLOCK the answer is kept as what it held. */
export async function screenAnswer(
  egress: DataGuard['egress'] | undefined,
  tenantId: string,
  result: ConnectorResult,
): Promise<ConnectorResult> {
  if (egress === undefined || result.data === undefined) return result;
  const { data, found } = (await egress(tenantId)).data(result.data);
  if (found === undefined) return result;
  if (found.taken !== 'blocked') return { ...result, data };
  return { ...result, data: { withheld: 'PII_BLOCKED', pii_types_found: [...found.types], match_count: found.count } };
}
