/**
 * Personal data at the doors: what comes in is screened by the policy of its tenant before anything keeps it, what goes
 * out before anything tells it. One guard for all doors, so that the floor of a tenant holds at each of them, and that
 * what was found is counted and told in the audit log wherever it was.
 */
import type { AosError } from '../../core/errors.ts';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import type { NewFeedItem } from '../../runs/feed.ts';
import type { Caller } from '../../runs/run.ts';
import { createEgress, type Egress, openEgress } from './egress.ts';
import { policyFor, type ScreeningAction, type ScreeningPolicy } from './policy.ts';
import { refusalOf, type ScanResult, type Screen, showScan } from './screen.ts';
import type { ScreeningBook } from './screening-book.ts';

/** Data that come in. */
export interface Arrival {
  readonly caller: Caller;
  /** What they come in by, e.g. `a2a.context_share`; in the audit log. */
  readonly where: string;
  /** Id of what they belong to; '' for none. */
  readonly subject?: string | undefined;
  /** What the sender asks for; the tenant's floor is the least it gets. */
  readonly action?: ScreeningAction | undefined;
  /** Where telephone numbers without a country code are from. */
  readonly region?: string | undefined;
  readonly primaryPlaneId?: string | undefined;
  readonly agentId?: string | null | undefined;
  /** Whether somebody else tells what is found. */
  readonly silent?: boolean | undefined;
}

export interface Screened<Data extends JsonValue> {
  /** What may go on: the data themselves when nothing was replaced. */
  readonly data: Data;
  /** The scan as the agent-to-agent protocol shows it. */
  readonly scan: JsonObject;
  readonly result: ScanResult;
}

/** Of one tenant, since this process began. */
export interface ScreeningStatistics {
  readonly total_scans: number;
  readonly pii_detections: number;
  readonly blocks: number;
  readonly redactions: number;
  /** Share of scans that found something, 0..1; null before the first. */
  readonly detection_rate: number | null;
  readonly default_policy: ScreeningAction;
  readonly tenant_id: string;
}

export interface DataGuard {
  /**
   * Screens what comes in, and tells what it found. Data that are blocked come back with `refusal`.
   * @returns data that may go on, or the refusal: 422 `PII_BLOCKED` with the scan
   */
  look<Data extends JsonValue>(data: Data, arrival: Arrival): Promise<Look<Data>>;
  /** The same, for those who go no further without. @throws AosError unprocessable `PII_BLOCKED` */
  screenIngress<Data extends JsonValue>(data: Data, arrival: Arrival): Promise<Screened<Data>>;
  /** How things leave a tenant now. */
  egress(tenantId: string): Promise<Egress>;
  statistics(tenantId: string): ScreeningStatistics;
}

export type Look<Data extends JsonValue> =
  | (Screened<Data> & { readonly refusal: undefined })
  | (Omit<Screened<Data>, 'data'> & { readonly refusal: AosError });

export interface DataGuardParts {
  readonly screen: Screen;
  readonly book: Pick<ScreeningBook, 'of'>;
  /** Takes what was found, for the audit log; a run's own events are told by whoever is in the run. */
  readonly tell: (item: NewFeedItem) => Promise<void>;
}

interface Counts {
  scans: number;
  found: number;
  blocks: number;
  redactions: number;
}

export function createDataGuard({ screen, book, tell }: DataGuardParts): DataGuard {
  const counted = new Map<string, Counts>();
  /** Of each tenant as long as its policy stays: a policy is looked up by identity in many places. */
  const doors = new Map<string, { readonly policy: ScreeningPolicy; readonly egress: Promise<Egress> }>();

  function countsOf(tenantId: string): Counts {
    const known = counted.get(tenantId);
    if (known !== undefined) return known;
    const counts = { scans: 0, found: 0, blocks: 0, redactions: 0 };
    counted.set(tenantId, counts);
    return counts;
  }

  function count(tenantId: string, taken: string | undefined): void {
    const counts = countsOf(tenantId);
    counts.scans += 1;
    if (taken === undefined) return;
    counts.found += 1;
    if (taken === 'blocked') counts.blocks += 1;
    if (taken === 'redacted') counts.redactions += 1;
  }

  const guard: DataGuard = {
    async look(data, arrival) {
      const { caller, where, action, region, primaryPlaneId, subject = '', agentId, silent } = arrival;
      const policy = policyFor(book.of(caller.tenantId), { action, region });
      const result = await screen.scan(data, policy);
      const scan = showScan(result, { tenantId: caller.tenantId, primaryPlaneId });
      const { taken, matches, types, risk } = result;
      // What was not looked at is no scan.
      if (taken !== 'bypassed') {
        count(caller.tenantId, matches.length > 0 || taken === 'blocked' ? taken : undefined);
      }
      if (silent !== true && taken !== 'bypassed' && taken !== 'allowed') {
        await tell({
          tenantId: caller.tenantId,
          userId: caller.userId,
          type: `screening.${taken}`,
          subject,
          data: {
            scan_id: result.scanId,
            direction: 'in',
            where,
            policy: policy.action,
            types: [...types],
            risk,
            count: matches.length,
            paths: [...new Set(matches.map(({ path }) => path))].slice(0, 50),
            error: result.error ?? null,
            agent_id: agentId ?? null,
            ...(primaryPlaneId !== undefined && { Primary_Plane_ID: primaryPlaneId }),
          },
        });
      }
      if (taken === 'blocked') return { scan, result, refusal: refusalOf(scan, types) };
      // What was not blocked has data, of the form that came: tokens stand in the place of texts and numbers.
      return { data: (result.data ?? data) as typeof data, scan, result, refusal: undefined };
    },
    async screenIngress(data, arrival) {
      const seen = await guard.look(data, arrival);
      if (seen.refusal !== undefined) throw seen.refusal;
      return seen;
    },
    egress(tenantId) {
      const { policy } = book.of(tenantId);
      if (policy.action === 'ALLOW') return Promise.resolve(openEgress);
      const known = doors.get(tenantId);
      if (known?.policy === policy) return known.egress;
      const egress = screen
        .rules(policy)
        .then((rules) => createEgress(rules, policy, (found) => count(tenantId, found?.taken)));
      doors.set(tenantId, { policy, egress });
      return egress;
    },
    statistics(tenantId) {
      const { scans, found, blocks, redactions } = countsOf(tenantId);
      return {
        total_scans: scans,
        pii_detections: found,
        blocks,
        redactions,
        detection_rate: scans === 0 ? null : found / scans,
        default_policy: book.of(tenantId).policy.action,
        tenant_id: tenantId,
      };
    },
  };
  return guard;
}
