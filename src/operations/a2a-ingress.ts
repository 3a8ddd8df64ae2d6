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
import { policyFor, type ScreeningAction } from '../governance/screening/policy.ts';
import { type Screen, refusalOf as screeningRefusal, showScan } from '../governance/screening/screen.ts';
import type { ScreeningBook } from '../governance/screening/screening-book.ts';
import { refusalOf } from '../governance/verdict.ts';
import type { Caller } from '../runs/run.ts';
import type { MessageType } from './a2a-view.ts';

export interface IngressParts {
  readonly fabric: Pick<Fabric, 'contexts'>;
  readonly governor: Governor;
  readonly screen: Pick<Screen, 'scan'>;
  readonly screeningBook: Pick<ScreeningBook, 'of'>;
  readonly clock: Clock;
}

export interface Arrival {
  readonly caller: Caller;
  readonly id: string;
  readonly type: MessageType;
  readonly from: string;
  readonly payload: JsonObject;
  /** Members of the payload that hold what agents tell one another, and not how. */
  readonly content: readonly string[];
  readonly fabric: JsonObject;
  readonly metadata: JsonObject;
  /** Epoch milliseconds. */
  readonly expiresAt: number | undefined;
  readonly policy: ScreeningAction | undefined;
  readonly region: string | undefined;
}

export interface Admitted {
  /** As it may go on. */
  readonly payload: JsonObject;
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

const EFFECTS: Partial<Record<MessageType, StepEffect>> = {
  discover: 'read',
  capability_query: 'read',
  status_query: 'read',
  ping: 'read',
  pong: 'read',
  execute: 'external',
};

export function createIngress({ fabric, governor, screen, screeningBook, clock }: IngressParts): Ingress {
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

  async function screened(arrival: Arrival, payload: JsonObject, primaryPlaneId: string) {
    const { caller, content, policy, region } = arrival;
    const told = Object.fromEntries(
      content.flatMap((name) => (payload[name] === undefined ? [] : [[name, payload[name]]])),
    );
    if (Object.keys(told).length === 0) return { payload, scan: null };
    const asked = policyFor(screeningBook.of(caller.tenantId), { action: policy, region });
    const result = await screen.scan(told, asked);
    const scan = showScan(result, { tenantId: caller.tenantId, primaryPlaneId });
    if (!isJsonObject(result.data)) throw screeningRefusal(scan, result.types);
    return { payload: { ...payload, ...result.data }, scan };
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
      const allowed = await govern(arrival, arrival.payload);
      return {
        ...(await screened(arrival, allowed, primaryPlaneId)),
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
