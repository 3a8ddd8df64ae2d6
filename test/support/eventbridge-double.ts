/** A look-alike of EventBridge: judges signature, sizes and details, keeps what it took, and breaks as a test says. */
import { type DoubleAnswer, type DoubleRequest, type HttpDouble, startHttpDouble } from './http-double.ts';
import { signatureFault } from './sigv4.ts';

/** Broken off before or after the event was kept, an error of the whole request, or one of the entry in a success. */
export type EventBridgeFault =
  | 'before'
  | 'after'
  | { readonly status: number; readonly error: string }
  | { readonly entry: string };

export interface BusEvent {
  readonly EventBusName: string;
  readonly Source: string;
  readonly DetailType: string;
  readonly Detail: string;
  readonly Time: number;
}

export interface EventBridgeDouble extends HttpDouble {
  readonly faults: EventBridgeFault[];
  readonly events: readonly BusEvent[];
}

export async function startEventBridgeDouble(secrets: Readonly<Record<string, string>>): Promise<EventBridgeDouble> {
  const faults: EventBridgeFault[] = [];
  const events: BusEvent[] = [];

  function put({ body }: DoubleRequest): DoubleAnswer {
    const { Entries: entries } = JSON.parse(body.toString()) as { Entries: readonly BusEvent[] };
    const fault = faults.shift();
    if (fault === 'before') return 'break';
    if (typeof fault === 'object' && 'status' in fault) return refused(fault.status, fault.error);
    if (typeof fault === 'object') {
      return { status: 200, body: { FailedEntryCount: 1, Entries: [{ ErrorCode: fault.entry, ErrorMessage: 'no' }] } };
    }
    if (entries.length < 1 || entries.length > 10) return refused(400, 'ValidationException');
    for (const { Detail: detail } of entries) JSON.parse(detail);
    events.push(...entries);
    if (fault === 'after') return 'break';
    const headers = { 'x-amzn-requestid': 'request-1' };
    const Entries = entries.map(() => ({ EventId: crypto.randomUUID() }));
    return { status: 200, headers, body: { FailedEntryCount: 0, Entries } };
  }

  const server = await startHttpDouble((request) => {
    const fault = signatureFault(request, { region: 'eu-central-1', service: 'events' }, (key) => secrets[key]);
    if (fault !== undefined) return refused(400, fault);
    switch (request.headers['x-amz-target']) {
      case 'AWSEvents.PutEvents':
        return put(request);
      case 'AWSEvents.DescribeEventBus': {
        const { Name: name } = JSON.parse(request.body.toString()) as { Name: string };
        if (name === 'hidden') return refused(400, 'AccessDeniedException');
        return name === 'aos' ? { status: 200, body: { Name: name } } : refused(400, 'ResourceNotFoundException');
      }
      default:
        return refused(400, 'UnknownOperationException');
    }
  });
  return { ...server, faults, events };
}

function refused(status: number, error: string): DoubleAnswer {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': error };
  return { status, headers, body: { __type: error, message: 'as the test says' } };
}
