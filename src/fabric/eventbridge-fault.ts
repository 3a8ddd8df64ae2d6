/** What an error of EventBridge means for the event that was to be put on the bus. */
import { ConnectorError, type Fault } from './connector.ts';

/** AWS' names of errors, of requests and of single entries. */
const faultsByName: Readonly<Record<string, Fault>> = {
  ThrottlingException: 'throttled',
  Throttling: 'throttled',
  TooManyRequestsException: 'throttled',
  LimitExceededException: 'throttled',
  AccessDeniedException: 'auth',
  NotAuthorizedForSourceException: 'auth',
  UnrecognizedClientException: 'auth',
  InvalidSignatureException: 'auth',
  IncompleteSignature: 'auth',
  MissingAuthenticationToken: 'auth',
  ExpiredTokenException: 'auth',
  CredentialsProviderError: 'auth',
  RequestEntityTooLargeException: 'too_large',
  ValidationException: 'invalid',
  ResourceNotFoundException: 'invalid',
  InvalidArgument: 'invalid',
  MalformedDetail: 'invalid',
  UnknownOperationException: 'invalid',
  OperationDisabledException: 'rejected',
};

export function eventBridgeFault(thrown: unknown): ConnectorError {
  if (thrown instanceof ConnectorError) return thrown;
  const name = thrown instanceof Error ? thrown.name : '';
  const { httpStatusCode: status, requestId } = metadataOf(thrown);
  const fault = faultsByName[name] ?? (status !== undefined && status < 500 ? 'invalid' : 'ambiguous');
  const vendorCode = name in faultsByName || status === undefined ? name : `HTTP ${status}`;
  return new ConnectorError(fault, `EventBridge did not say that it took the event (${vendorCode})`, {
    vendorCode,
    vendorRequestId: requestId,
    cause: thrown,
  });
}

/** An entry of an answer that is a success otherwise. What failed there is not on the bus. */
export function faultOfEntry(code: string | undefined, requestId: string | undefined): ConnectorError {
  if (code === undefined) return new ConnectorError('ambiguous', 'EventBridge said nothing of the event');
  return new ConnectorError(faultsByName[code] ?? 'unavailable', `EventBridge did not take the event (${code})`, {
    vendorCode: code,
    vendorRequestId: requestId,
  });
}

interface Metadata {
  readonly httpStatusCode?: number;
  readonly requestId?: string;
}

function metadataOf(thrown: unknown): Metadata {
  const metadata: unknown = thrown instanceof Error && '$metadata' in thrown ? thrown.$metadata : undefined;
  return typeof metadata === 'object' && metadata !== null ? metadata : {};
}
