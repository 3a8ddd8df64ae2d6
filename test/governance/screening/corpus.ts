/**
 * Labelled texts: what is personal data in them, and where. The labels are those of the corpora, a little coarser in one
 * place and finer in another than the types of screening.
 */
import { readFileSync } from 'node:fs';
import { loadValidators } from '../../../src/governance/screening/detector/validators.ts';
import { createRules } from '../../../src/governance/screening/detector.ts';
import type { PersonalDataType } from '../../../src/governance/screening/personal-data.ts';
import { defaultPolicy } from '../../../src/governance/screening/policy.ts';
import { createTextScreen, type TextMatch } from '../../../src/governance/screening/text-screen.ts';

export interface LabelledText {
  readonly text: string;
  readonly spans: readonly { readonly type: Label; readonly start: number; readonly end: number }[];
}

const typesOf = {
  EMAIL: ['email'],
  PHONE: ['phone'],
  SSN: ['ssn'],
  IBAN: ['bank_account'],
  CREDIT_CARD: ['credit_card'],
  IP: ['ip_address'],
  PERSON: ['name'],
  DOB: ['date_of_birth'],
  PASSPORT: ['passport'],
  DRIVER_LICENSE: ['driver_license'],
  NATIONAL_ID: ['national_id'],
  ADDRESS: ['address'],
  SECRET: ['api_key', 'password'],
} as const satisfies Record<string, readonly PersonalDataType[]>;

export type Label = keyof typeof typesOf;
export const labels = Object.keys(typesOf) as readonly Label[];
/** Found by their form; names and addresses are best effort. */
export const structured: readonly Label[] = labels.filter((label) => label !== 'PERSON' && label !== 'ADDRESS');

export function readCorpus(file: string): readonly LabelledText[] {
  const lines = readFileSync(new URL(file, import.meta.url), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => JSON.parse(line) as LabelledText);
}

export const rules = createRules(await loadValidators(), []);

export function matchesIn(text: string): readonly TextMatch[] {
  const screen = createTextScreen(rules, defaultPolicy);
  screen.finish(text);
  return screen.matches;
}

export interface Measured {
  /** Share of the labelled values that were found: at least four fifths of their characters, as their type. */
  readonly recall: (labels: readonly Label[]) => number;
  /** What was not found, and what was found where nothing is; to be read. */
  readonly missed: readonly string[];
  readonly falsePositives: readonly string[];
}

export function measure(corpus: readonly LabelledText[]): Measured {
  const found = new Map<Label, number>();
  const all = new Map<Label, number>();
  const missed: string[] = [];
  const falsePositives: string[] = [];
  for (const { text, spans } of corpus) {
    const matches = matchesIn(text);
    for (const { type, start, end } of spans) {
      all.set(type, (all.get(type) ?? 0) + 1);
      const wanted: readonly PersonalDataType[] = typesOf[type];
      const covered = matches
        .filter((match) => wanted.includes(match.type))
        .reduce((sum, match) => sum + Math.max(0, Math.min(end, match.end) - Math.max(start, match.start)), 0);
      if (covered >= 0.8 * (end - start)) found.set(type, (found.get(type) ?? 0) + 1);
      else missed.push(`${type} ${text.slice(start, end)} in: ${text}`);
    }
    for (const { type, start, end } of matches) {
      const isThere = spans.some((span) => span.start < end && start < span.end);
      if (!isThere) falsePositives.push(`${type} ${text.slice(start, end)} in: ${text}`);
    }
  }
  const sum = (counts: Map<Label, number>, of: readonly Label[]) =>
    of.reduce((total, label) => total + (counts.get(label) ?? 0), 0);
  return { recall: (of) => sum(found, of) / sum(all, of), missed, falsePositives };
}
