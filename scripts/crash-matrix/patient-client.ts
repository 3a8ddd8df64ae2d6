/** A client of a server that is killed all the time: asks until it is heard, and goes on where it was. */
import { setTimeout as delay } from 'node:timers/promises';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/core/json.ts';
import { terminalEvents } from '../../src/runs/event.ts';
import { isCutConnection } from '../../test/recovery/lineage.ts';
import { eventsOf, type SeenEvent } from '../../test/support/invocations.ts';

const PAUSE_MS = 5;
const APPROVER_PAUSE_MS = 20;

type Headers = Readonly<Record<string, string>>;

export interface PatientClient {
  /** Asks until there is an answer that is not the server's failure. @throws Error for a refusal (4xx) */
  call(method: string, path: string, body?: JsonObject, headers?: Headers): Promise<JsonObject>;
  /** Asks once; undefined when nobody heard it, or when nobody knows. */
  once(method: string, path: string, body?: JsonObject, headers?: Headers): Promise<JsonObject | undefined>;
  /** Tries until it is true. */
  until(attempt: () => Promise<boolean>): Promise<void>;
  /** Every event of the invocation as a follower sees them who is cut off again and again. */
  follow(invocation: string): Promise<readonly SeenEvent[]>;
  /** Approves whatever waits for it until `over`, as often as it takes. */
  approve(over: AbortSignal): Promise<void>;
}

export function createPatientClient(address: () => Promise<string>): PatientClient {
  const user = { 'x-agent-user-id': 'ann' };

  async function reach(method: string, path: string, body?: JsonObject, headers?: Headers) {
    const response = await fetch(`${await address()}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const said = await response.text();
    return { status: response.status, said };
  }

  const once: PatientClient['once'] = async (method, path, body, headers) => {
    try {
      const { status, said } = await reach(method, path, body, headers);
      if (status >= 500) return undefined;
      if (status >= 400) throw new Error(`${method} ${path} answered ${status}: ${said}`);
      const answer = JSON.parse(said) as JsonValue;
      return isJsonObject(answer) ? answer : { answer };
    } catch (failure) {
      if (isCutConnection(failure)) return undefined;
      throw failure;
    }
  };

  async function until(attempt: () => Promise<boolean>): Promise<void> {
    while (!(await attempt())) await delay(PAUSE_MS);
  }

  return {
    once,
    until,
    async call(method, path, body, headers) {
      for (;;) {
        const answer = await once(method, path, body, headers);
        if (answer !== undefined) return answer;
        await delay(PAUSE_MS);
      }
    },
    async follow(invocation) {
      const events: SeenEvent[] = [];
      await until(async () => {
        const after = events.at(-1)?.seq;
        try {
          const response = await fetch(`${await address()}/invocations/${invocation}`, {
            headers: {
              accept: 'text/event-stream',
              ...user,
              ...(after === undefined ? {} : { 'last-event-id': String(after) }),
            },
          });
          if (response.status === 200) for await (const event of eventsOf(response)) events.push(event);
          else await response.body?.cancel();
        } catch (failure) {
          if (!isCutConnection(failure)) throw failure;
        }
        return terminalEvents.some((type) => type === events.at(-1)?.type);
      });
      return events;
    },
    async approve(over) {
      while (!over.aborted) {
        const { items } = (await once('GET', '/api/v1/approvals?status=open')) ?? {};
        for (const item of Array.isArray(items) ? items.filter(isJsonObject) : []) {
          // Somebody who got no answer asks again; that it is decided meanwhile is what was wanted.
          await once('POST', `/api/v1/approvals/${item['id']}/approve`, { by: 'dana' }).catch(() => {});
        }
        await delay(APPROVER_PAUSE_MS);
      }
    },
  };
}
