/**
 * A program whose run tells nothing that its tenant does not let out: what its events say in words, what it waits for,
 * what it ends with and what it fails with go through the tenant's screening. The words of models and the results of
 * tools are screened where they come, before anything is stored of them; here is everything else.
 */
import { AosError } from '../../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import type { RunProgram, RunScope, StepOptions } from '../../engine/engine.ts';
import type { EventType, KeyedEvent, NewRunEvent } from '../../runs/event.ts';
import type { DataGuard } from './data-guard.ts';
import { type Egress, withheld } from './egress.ts';

/** Members of events that hold words of people, of models or of other systems, and are not screened before. */
const WORDS: Partial<Record<EventType, readonly string[]>> = {
  'run.started': ['plan'],
  'turn.failed': ['error'],
  'node.started': ['title'],
  'node.completed': ['output'],
  'node.failed': ['error'],
  'run.limit_reached': ['what'],
  'agent.handed_off': ['reason'],
  'run.stopped': ['reason'],
  'governance.decided': ['reason', 'facts'],
};

export function createScreenedProgram(guard: Pick<DataGuard, 'egress'>, program: RunProgram): RunProgram {
  return async (scope) => {
    const { tenantId } = scope.run.caller;
    const egress = await guard.egress(tenantId);
    // The tenant's policy of now: it may have become stricter since the run began.
    const lastEgress = () => guard.egress(tenantId);
    try {
      const result = await program(egress.isStrict ? screenedScope(scope, egress) : scope);
      return await screenResult(scope, result, await lastEgress());
    } catch (thrown) {
      if (scope.signal.aborted || !(thrown instanceof AosError)) throw thrown;
      throw screenFailure(thrown, await lastEgress());
    }
  };
}

function screenedScope(scope: RunScope, egress: Egress): RunScope {
  return {
    ...scope,
    emit: (key, event) => scope.emit(key, screenEvent(event, egress)),
    step<T extends JsonValue>(name: string, body: Parameters<typeof scope.step<T>>[1], options: StepOptions<T> = {}) {
      const { event } = options;
      if (event === undefined) return scope.step(name, body, options);
      const told = (value: T): readonly KeyedEvent[] =>
        [event(value)].flat().map((one) => screenEvent(one as KeyedEvent, egress));
      return scope.step(name, body, { ...options, event: told });
    },
    wait(wait) {
      return scope.wait(
        wait.detail === undefined ? wait : { ...wait, detail: asObject(egress.data(wait.detail).data, wait.detail) },
      );
    },
  };
}

function screenEvent<Event extends NewRunEvent>(event: Event, egress: Egress): Event {
  const members = WORDS[event.type];
  if (members === undefined) return event;
  const data = { ...(event.data as JsonObject) };
  let changed = false;
  for (const member of members) {
    const value = data[member];
    if (value === undefined || value === null) continue;
    const { data: screened, found } = egress.data(value);
    if (found === undefined) continue;
    data[member] = screened;
    changed = true;
  }
  // The form of the data stays: tokens stand in the place of texts.
  return changed ? ({ ...event, data } as Event) : event;
}

/** @throws AosError unprocessable `PII_BLOCKED` when the tenant lets nothing out that holds personal data */
async function screenResult(scope: RunScope, result: JsonObject, egress: Egress): Promise<JsonObject> {
  if (!egress.isStrict) return result;
  const { data, found } = egress.data(result);
  if (found === undefined) return result;
  await scope.emit('result:screened', {
    type: 'screening.found',
    data: { where: 'result', direction: 'out', ...found, types: [...found.types], paths: [...found.paths] },
  });
  if (found.taken === 'blocked') throw withheld('The result of the run', found);
  return asObject(data, {});
}

function screenFailure(failure: AosError, egress: Egress): AosError {
  if (!egress.isStrict) return failure;
  const { data, found } = egress.data(failure.message);
  if (found === undefined || typeof data !== 'string') return failure;
  const { code, reason, retry, facts } = failure;
  return new AosError(code, data, { retry, facts, cause: failure, ...(reason !== undefined && { reason }) });
}

function asObject(value: JsonValue, otherwise: JsonObject): JsonObject {
  return isJsonObject(value) ? value : otherwise;
}
