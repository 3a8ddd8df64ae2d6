/**
 * What every agent-to-agent message passes before anything is done with it: it has not expired, the plane it names is
 * one of its tenant's, the governor allows it, and it carries no personal data that it may not carry.
 */
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { StepEffect } from '../engine/engine.ts';
import type { Fabric } from '../fabric/fabric.ts';
import { type PlaneName, planeNamed } from '../fabric/plane.ts';
import { presetCards } from '../fabric/preset.ts';
import { routingTable } from '../fabric/routing-table.ts';
import type { Governor } from '../governance/governor.ts';
import type { DataGuard } from '../governance/screening/data-guard.ts';
import type { ScreeningAction } from '../governance/screening/policy.ts';
import { refusalOf } from '../governance/verdict.ts';
import type { Caller } from '../runs/run.ts';
import type { MessageType } from './a2a-protocol.ts';

export interface IngressParts {
  readonly fabric: Pick<Fabric, 'contexts'>;
  readonly governor: Governor;
  readonly dataGuard: Pick<DataGuard, 'screenIngress'>;
  readonly clock: Clock;
}

export interface Arrival {
  readonly caller: Caller;
  readonly id: string;
  readonly type: MessageType;
  readonly from: string;
  readonly payload: JsonObject;
  readonly fabric: JsonObject;
  readonly metadata: JsonObject;
  /** Epoch milliseconds. */
  readonly expiresAt: number | undefined;
  readonly policy: ScreeningAction | undefined;
  readonly region: string | undefined;
}

export interface Admitted {
  /** Both as they may go on. */
  readonly payload: JsonObject;
  readonly metadata: JsonObject;
  readonly scan: JsonObject | null;
  /** The context of the message, filled in. */
  readonly fabric: JsonObject;
  /** The plane that the message names, where it is not the primary one. */
  readonly plane: PlaneName | undefined;
}

export interface Ingress {
  /**
   * @throws AosError unprocessable: `EXPIRED`, `PLANE_MISMATCH`, `PII_BLOCKED` with the scan; what the governor refuses
   * with
   */
  admit(arrival: Arrival): Promise<Admitted>;
}

/** Members of payloads that name what exists here, or say how the work is done, and have no place for words. */
const CONTROL: ReadonlySet<string> = new Set([
  'delegation_id',
  'context_id',
  'agent_id',
  'capability_id',
  'status',
  'code',
  'target_system',
  'action_type',
  'entity_type',
  'tokens_used',
  'cost_usd',
  'steps_executed',
]);

/** What is asked of this server alone and goes no further. */
const QUERIES: readonly MessageType[] = ['discover', 'capability_query', 'status_query'];

/** What the metadata of a message is called in its scan. */
const METADATA = 'message_metadata';

const EFFECTS: Partial<Record<MessageType, StepEffect>> = {
  discover: 'read',
  capability_query: 'read',
  status_query: 'read',
  ping: 'read',
  execute: 'external',
};

export function createIngress({ fabric, governor, dataGuard, clock }: IngressParts): Ingress {
  async function govern({ caller, id, type, from }: Arrival, args: JsonObject): Promise<JsonObject> {
    const verdict = await governor.allow(
      { caller },
      {
        name: `a2a/${id}`,
        what: { kind: 'a2a', type, target: null, actionClass: null, effect: EFFECTS[type] ?? 'write' },
        agentId: from,
        args,
        title: `${from} sends ${type}`,
      },
    );
    if (verdict.kind !== 'allow') throw refusalOf(verdict);
    return verdict.args;
  }

  async function screened(arrival: Arrival, primaryPlaneId: string) {
    const { caller, type, id, from, payload, metadata, policy, region } = arrival;
    const entries = Object.entries(payload);
    const told = {
      ...Object.fromEntries(entries.filter(([name]) => !CONTROL.has(name))),
      ...(Object.keys(metadata).length > 0 && { [METADATA]: metadata }),
    };
    if (QUERIES.includes(type) || Object.keys(told).length === 0) return { payload, metadata, scan: null };
    const { data, scan } = await dataGuard.screenIngress<JsonObject>(told, {
      caller,
      where: `a2a.${type}`,
      subject: id,
      action: policy,
      region,
      primaryPlaneId,
      agentId: from,
    });
    const { [METADATA]: passed, ...members } = data;
    const control = Object.fromEntries(entries.filter(([name]) => CONTROL.has(name)));
    return { payload: { ...control, ...members }, metadata: isJsonObject(passed) ? passed : {}, scan };
  }

  return {
    async admit(arrival) {
      const { caller, expiresAt } = arrival;
      if (expiresAt !== undefined && expiresAt <= clock.now()) {
        throw new AosError('unprocessable', `the message has expired at ${isoTime(expiresAt)}: send it anew`, {
          reason: 'EXPIRED',
          facts: { expires_at: isoTime(expiresAt) },
        });
      }
      const context = await fabric.contexts.of(caller.tenantId);
      const named = planeIn(arrival.fabric) ?? planeIn(arrival.metadata['fabric_context']);
      const { preset, primaryPlaneId } = context;
      const plane = named === undefined ? undefined : planeNamed(named, caller.tenantId);
      const enabled = new Set<string>(Object.values(routingTable[preset]).flat());
      if (named !== undefined && (plane === undefined || !enabled.has(plane))) {
        throw new AosError(
          'unprocessable',
          `the message is for the plane "${named}", which ${preset} does not have enabled: its primary plane is ${primaryPlaneId}`,
          { reason: 'PLANE_MISMATCH', facts: { primary_plane_id: primaryPlaneId, fabric_preset: preset } },
        );
      }
      const passed = await screened(arrival, primaryPlaneId);
      return {
        ...passed,
        payload: await govern(arrival, passed.payload),
        plane: plane === presetCards[preset].primary ? undefined : plane,
        fabric: {
          primary_plane_id: named === undefined || plane === presetCards[preset].primary ? primaryPlaneId : named,
          fabric_preset: preset,
          auto_enriched: named === undefined,
        },
      };
    },
  };
}

/** The plane that a context names, in either spelling. */
function planeIn(context: JsonValue | undefined): string | undefined {
  if (!isJsonObject(context)) return undefined;
  const named = context['primary_plane_id'] ?? context['Primary_Plane_ID'];
  return typeof named === 'string' && named !== '' ? named : undefined;
}
