/**
 * Screening of data for personal data: what was found and what was done about it, as the scan result of the agent-to-agent
 * protocol. Neither results nor errors hold a value that was found.
 */
import type { Clock } from '../../core/clock.ts';
import { isoTime } from '../../core/clock.ts';
import { AosError } from '../../core/errors.ts';
import { newUuid } from '../../core/ids.ts';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import { loadValidators } from './detector/validators.ts';
import { createRules } from './detector.ts';
import { type DataMatch, screenData } from './json-screen.ts';
import { type PersonalDataType, type RiskLevel, riskOf } from './personal-data.ts';
import type { ScreeningAction, ScreeningPolicy } from './policy.ts';
import type { Rule } from './rule.ts';
import { createTextScreen, type TextScreen } from './text-screen.ts';

export interface ScanResult {
  readonly scanId: string;
  readonly scannedAt: string;
  readonly matches: readonly DataMatch[];
  readonly types: readonly PersonalDataType[];
  readonly risk: RiskLevel;
  readonly policy: ScreeningAction;
  readonly taken: ActionTaken;
  readonly durationMs: number;
  /** Why there is no result, in words; then strict policies block. */
  readonly error: string | undefined;
  /** What may go on: the data, or with tokens in place of values. Undefined when it was blocked. */
  readonly data: JsonValue | undefined;
}

export type ActionTaken = 'bypassed' | 'blocked' | 'redacted' | 'warned' | 'allowed';

export interface Screen {
  /** Screens data. Never throws: what cannot be screened is blocked by BLOCK and REDACT, and passes WARN with an error. */
  scan(data: JsonValue, policy: ScreeningPolicy): Promise<ScanResult>;
  /**
   * Screens a text on its way out. Values are replaced whatever strict policy it is, since what has gone cannot be
   * blocked any more; ALLOW and WARN let it pass as it comes.
   */
  stream(policy: ScreeningPolicy): Promise<TextScreen>;
  /** What a policy is screened by. */
  rules(policy: ScreeningPolicy): Promise<readonly Rule[]>;
}

/** What one scan may cost: UTF-16 units of all texts, keys and numbers together. */
const MOST_CHARACTERS = 8 * 1024 * 1024;

export function createScreen({
  clock,
  mostCharacters = MOST_CHARACTERS,
}: {
  clock: Clock;
  mostCharacters?: number;
}): Screen {
  const rulesOf = new Map<string, Promise<readonly Rule[]>>();
  const rulesFor = ({ regions }: ScreeningPolicy): Promise<readonly Rule[]> => {
    const key = regions.join(' ');
    const known = rulesOf.get(key);
    if (known !== undefined) return known;
    const made = loadValidators().then((validators) => createRules(validators, regions));
    if (rulesOf.size > 100) rulesOf.clear();
    rulesOf.set(key, made);
    return made;
  };
  return {
    async scan(data, policy) {
      const began = clock.monotonic();
      const base = { scanId: newUuid(), scannedAt: isoTime(clock.now()), policy: policy.action };
      const nothing = { matches: [], types: [], risk: 'none' as const, error: undefined, durationMs: 0 };
      if (policy.action === 'ALLOW') return { ...base, ...nothing, taken: 'bypassed', data };
      try {
        if (isLarger(data, mostCharacters)) return unscanned(`it is larger than ${mostCharacters} characters`);
        const { matches, redacted } = screenData(await rulesFor(policy), policy, data);
        const types = [...new Set(matches.map(({ type }) => type))];
        const taken = matches.length === 0 ? 'allowed' : TAKEN[policy.action];
        return {
          ...base,
          matches,
          types,
          risk: riskOf(types),
          taken,
          durationMs: clock.monotonic() - began,
          error: undefined,
          data: taken === 'blocked' ? undefined : taken === 'redacted' ? redacted : data,
        };
      } catch {
        // The text of an exception may hold the data.
        return unscanned('screening it failed');
      }
      function unscanned(why: string): ScanResult {
        const isStrict = policy.action !== 'WARN';
        return {
          ...base,
          ...nothing,
          taken: isStrict ? 'blocked' : 'warned',
          durationMs: clock.monotonic() - began,
          error: `the data could not be screened: ${why}`,
          data: isStrict ? undefined : data,
        };
      }
    },
    async stream(policy) {
      return createStreamScreen(await rulesFor(policy), policy);
    },
    rules: rulesFor,
  };
}

const TAKEN: Readonly<Record<ScreeningAction, ActionTaken>> = {
  ALLOW: 'bypassed',
  WARN: 'warned',
  REDACT: 'redacted',
  BLOCK: 'blocked',
};

/** Screens a text that leaves in pieces: see `Screen.stream`. */
export function createStreamScreen(rules: readonly Rule[], policy: ScreeningPolicy): TextScreen {
  if (policy.action === 'REDACT' || policy.action === 'BLOCK') return createTextScreen(rules, policy);
  return { push: (piece) => piece, finish: (piece = '') => piece, matches: [] };
}

/** Counts without recursion, and no further than it must. */
function isLarger(data: JsonValue, most: number): boolean {
  const rest: JsonValue[] = [data];
  let size = 0;
  for (let value = rest.pop(); value !== undefined && size <= most; value = rest.pop()) {
    size += typeof value === 'string' ? value.length : 8;
    if (Array.isArray(value)) for (const item of value) rest.push(item);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        size += key.length;
        rest.push(item);
      }
    }
  }
  return size > most;
}

/** The scan result as the agent-to-agent protocol shows it; without the data. */
export function showScan(
  result: ScanResult,
  about: { tenantId: string; primaryPlaneId?: string | undefined },
): JsonObject {
  const { matches, taken } = result;
  return {
    scan_id: result.scanId,
    scanned_at: result.scannedAt,
    pii_detected: matches.length > 0,
    match_count: matches.length,
    matches: matches.map(({ type, path, start, end, confidence, inKey }) => ({
      type,
      path,
      start,
      end,
      confidence,
      ...(inKey && { in_key: true }),
    })),
    pii_types_found: [...result.types],
    risk_level: result.risk,
    redaction_applied: taken === 'redacted',
    redacted_fields: taken === 'redacted' ? [...new Set(matches.map(({ path }) => path))] : [],
    policy_applied: result.policy,
    policy_action_taken: taken,
    scan_duration_ms: Math.round(result.durationMs * 1000) / 1000,
    error: result.error ?? null,
    primary_plane_id: about.primaryPlaneId ?? null,
    tenant_id: about.tenantId,
  };
}

/** The refusal of data that was blocked, with the scan that says why. */
export function refusalOf(scan: JsonObject, types: readonly PersonalDataType[]): AosError {
  const what = types.length === 0 ? 'it could not be screened' : `it holds ${types.join(', ')}`;
  return new AosError(
    'unprocessable',
    `the data may not be passed on: ${what}; leave it out, or ask with the policy REDACT`,
    {
      reason: 'PII_BLOCKED',
      facts: { scan },
    },
  );
}
