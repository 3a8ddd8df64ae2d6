/** What an answer of BigQuery that is no success means. The reason in its body says more than the status. */
import { ConnectorError, type Fault } from './connector.ts';
import { faultOf, type PlaneAnswer, textAt } from './exchange.ts';

const faultsByReason: Readonly<Record<string, Fault>> = {
  rateLimitExceeded: 'throttled',
  quotaExceeded: 'throttled',
  jobRateLimitExceeded: 'throttled',
  accessDenied: 'auth',
  authError: 'auth',
  required: 'invalid',
  invalid: 'invalid',
  invalidQuery: 'invalid',
  notFound: 'invalid',
  responseTooLarge: 'too_large',
  billingTierLimitExceeded: 'rejected',
  bytesBilledLimitExceeded: 'rejected',
  resourcesExceeded: 'rejected',
  stopped: 'rejected',
  duplicate: 'rejected',
};

export function faultOfBigQuery(answer: PlaneAnswer, now: number): ConnectorError {
  const reason = textAt(answer.data, '/error/errors/0/reason');
  const usual = faultOf(answer, now, { code: reason });
  const fault = faultsByReason[reason ?? ''] ?? usual.fault;
  const { vendorCode, retryAfterMs } = usual;
  return new ConnectorError(fault, `BigQuery did not do it (${vendorCode})`, { vendorCode, retryAfterMs });
}
