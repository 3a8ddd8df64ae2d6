/**
 * What leaves: the words of models as they come, the results of tools, what a run ends with. Strict policies put tokens
 * in the place of values before anything of them is told; BLOCK says besides that the whole may not be used, because
 * what has gone cannot be called back. WARN looks at what has gone and says what was in it.
 */
import { AosError } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { screenData } from './json-screen.ts';
import { type PersonalDataType, type RiskLevel, riskOf } from './personal-data.ts';
import { isStricter, type ScreeningAction, type ScreeningPolicy } from './policy.ts';
import type { Rule } from './rule.ts';
import { createTextScreen, type TextMatch } from './text-screen.ts';

/** What was found and what was done about it; never a value. */
export interface Found {
  readonly policy: ScreeningAction;
  readonly taken: 'warned' | 'redacted' | 'blocked';
  readonly types: readonly PersonalDataType[];
  readonly risk: RiskLevel;
  readonly count: number;
  /** Where in the data, some of them; '' is the text itself. */
  readonly paths: readonly string[];
}

/** A text on its way out. */
export interface LeavingText {
  /** The next piece; returns what may go by now. */
  push(piece: string): string;
  /** Returns the rest. */
  finish(): string;
  /** After the end. */
  found(): Found | undefined;
}

export interface LeavingData {
  /** What may go: with BLOCK too, for whoever tells of it. */
  readonly data: JsonValue;
  readonly found: Found | undefined;
}

/** What one tenant lets out. */
export interface Egress {
  /** Whether values are replaced. */
  readonly isStrict: boolean;
  text(): LeavingText;
  data(data: JsonValue): LeavingData;
}

/** More places than this are only counted. */
const MOST_PATHS = 50;

/** Everything passes, unread. */
export const openEgress: Egress = {
  isStrict: false,
  text: () => ({ push: (piece) => piece, finish: () => '', found: () => undefined }),
  data: (data) => ({ data, found: undefined }),
};

/** @param note told of each thing that was screened */
export function createEgress(
  rules: readonly Rule[],
  policy: ScreeningPolicy,
  note: (found: Found | undefined) => void = () => {},
): Egress {
  const { action } = policy;
  if (action === 'ALLOW') return openEgress;
  const isStrict = isStricter(action, 'WARN');

  function settled(matches: readonly (TextMatch & { readonly path?: string })[]): Found | undefined {
    const found = foundIn(policy, matches);
    note(found);
    return found;
  }

  return {
    isStrict,
    text() {
      const screen = createTextScreen(rules, policy);
      if (isStrict) return { push: screen.push, finish: () => screen.finish(), found: () => settled(screen.matches) };
      let gone = '';
      return {
        push(piece) {
          gone += piece;
          return piece;
        },
        finish() {
          screen.finish(gone);
          return '';
        },
        found: () => settled(screen.matches),
      };
    },
    data(data) {
      const { matches, redacted } = screenData(rules, policy, data);
      return { data: isStrict ? redacted : data, found: settled(matches) };
    },
  };
}

function foundIn(
  { action }: ScreeningPolicy,
  matches: readonly (TextMatch & { readonly path?: string })[],
): Found | undefined {
  if (matches.length === 0) return undefined;
  const types = [...new Set(matches.map(({ type }) => type))];
  const paths = [...new Set(matches.map(({ path = '' }) => path))].slice(0, MOST_PATHS);
  const taken = action === 'BLOCK' ? 'blocked' : action === 'REDACT' ? 'redacted' : 'warned';
  return { policy: action, taken, types, risk: riskOf(types), count: matches.length, paths };
}

/** Several findings about one thing, as one. */
export function joinFound(found: readonly (Found | undefined)[]): Found | undefined {
  const all = found.filter((each) => each !== undefined);
  const [first] = all;
  if (first === undefined || all.length === 1) return first;
  const types = [...new Set(all.flatMap((each) => each.types))];
  const paths = [...new Set(all.flatMap((each) => each.paths))].slice(0, MOST_PATHS);
  return { ...first, types, paths, risk: riskOf(types), count: all.reduce((sum, { count }) => sum + count, 0) };
}

/** The refusal of what may not leave. @param what e.g. `the answer of the model` */
export function withheld(what: string, { types, count, risk }: Found): AosError {
  return new AosError(
    'unprocessable',
    `${what} is withheld: it holds personal data (${types.join(', ')}), and the policy of the tenant is BLOCK`,
    { reason: 'PII_BLOCKED', facts: { pii_types_found: [...types], match_count: count, risk_level: risk } },
  );
}
