/**
 * Keeps secrets and personal data out of the log, however deep they lie: by the name of a field, and by the look of a
 * value. A log line costs next to nothing, so this is not the detector of `governance/screening`: it knows what has an
 * unmistakable form (addresses of mail, cards, accounts, telephone numbers with their country) and no names.
 */
import { isJsonObject, type JsonValue } from '../core/json.ts';

const SECRET_NAME =
  /(authorization|api[-_]?key|secret|password|passwd|credential|connection[-_]?string|cookie|private[-_]?key|access[-_]?token|refresh[-_]?token|id[-_]?token|^token$)/i;
const SECRET_VALUE = new RegExp(
  [
    '\\b(Bearer\\s+[\\w\\-.~+/]{8,}=*|InstrumentationKey=[^;\\s]+|sk-[A-Za-z0-9_-]{16,}|eyJ[\\w-]{10,}\\.[\\w-]+\\.[\\w-]*',
    'A(?:KIA|SIA)[A-Z0-9]{16}|AIza[\\w-]{30,}|gh[pousr]_\\w{20,}|github_pat_\\w{20,}|glpat-[\\w-]{16,}|npm_\\w{30,}|hf_\\w{20,}',
    'xox[abeoprs]-[\\w-]{10,}|[srp]k_(?:live|test|prod)_\\w{10,}|SG\\.[\\w-]{16,}\\.[\\w-]{16,}|AccountKey=[^;\\s]+)',
    '(:\\/\\/[^\\s:/@]+:)[^\\s@/]+@',
    '(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\\w\\s+/=\\\\]*',
  ].join('|'),
  'g',
);
const REDACTED = '[redacted]';
/** Texts without any of these hold nothing that PERSONAL finds. */
const MAY_BE_PERSONAL = /@|\d{4}|\d{3}[ -]\d{2}/;
/** What it is is told by the group that matched; cards and accounts have a check digit besides. */
const PERSONAL = new RegExp(
  [
    '(?<email>[\\p{L}\\p{N}_][\\p{L}\\p{N}._+-]{0,63}@(?:[\\p{L}\\p{N}-]{1,63}\\.){1,8}\\p{L}{2,24})(?![\\p{L}\\p{N}])',
    '(?<![\\w.-])(?<iban>[A-Z]{2}\\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)(?![\\w-])',
    '(?<![\\w.+-])(?<card>\\d{4}(?:[ -]?\\d){8,15})(?![\\w-]|[.]\\d)',
    '(?<![\\w.-])(?<ssn>\\d{3}-\\d{2}-\\d{4})(?![\\w-])',
    '(?<![\\w.+-])(?<phone>\\+[1-9]\\d{0,2}[ .(-]{0,2}\\d{1,4}(?:[ .)-]{0,2}\\d{2,4}){2,4})(?![\\w-]|[.:]\\d)',
  ].join('|'),
  'gu',
);
const ISSUED = /^(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6\d{15}|3[0689]\d{12})$/;
/** Deeper than any record of ours; stops a cyclic object. */
const MAX_DEPTH = 8;

/** A copy of `fields` with secrets replaced by `[redacted]` and errors written as type, message and stack. */
export function scrub(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return scrubObject(fields, 0);
}

function scrubObject(fields: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> {
  const clean: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    clean[name] = SECRET_NAME.test(name) ? REDACTED : scrubValue(fields[name], depth);
  }
  return clean;
}

function scrubValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return scrubText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[too deep]';
  if (value instanceof Error) {
    const cause = value.cause === undefined ? {} : { cause: scrubValue(value.cause, depth + 1) };
    return { type: value.name, message: scrubText(value.message), stack: scrubText(value.stack ?? ''), ...cause };
  }
  if (Array.isArray(value)) return value.map((item) => scrubValue(item, depth + 1));
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  return scrubObject(value as Record<string, unknown>, depth + 1);
}

/**
 * JSON of somebody else's with secrets replaced in the same way, whole however deep it is. Personal data stays: what may
 * be done with it is a matter of screening.
 */
export function withoutSecrets<Value extends JsonValue>(value: Value): Value;
export function withoutSecrets(value: JsonValue): JsonValue {
  if (typeof value === 'string') return secretsOut(value);
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, SECRET_NAME.test(name) ? REDACTED : withoutSecrets(member)]),
  );
}

/** The same for text that is JSON, as far as it is. */
export function textWithoutSecrets(text: string): string {
  try {
    return JSON.stringify(withoutSecrets(JSON.parse(text) as JsonValue));
  } catch {
    return secretsOut(text);
  }
}

/** A text with what looks like a secret or is somebody's replaced. */
export function scrubText(text: string): string {
  const clean = secretsOut(text);
  if (!MAY_BE_PERSONAL.test(clean)) return clean;
  return clean.replace(PERSONAL, (match: string, ...rest: unknown[]) => {
    const groups = rest.at(-1) as Readonly<Record<string, string | undefined>>;
    if (groups['email'] !== undefined) return '[EMAIL]';
    if (groups['ssn'] !== undefined) return '[SSN]';
    if (groups['phone'] !== undefined) return '[PHONE]';
    if (groups['card'] !== undefined) return isCard(match.replace(/\D/g, '')) ? '[CARD]' : match;
    return isAccount(match.replaceAll(' ', '')) ? '[ACCOUNT]' : match;
  });
}

function secretsOut(text: string): string {
  return text.replace(SECRET_VALUE, (_match, _secret, userInfo?: string, keyHead?: string) => {
    if (keyHead !== undefined) return `${keyHead}${REDACTED}`;
    return userInfo === undefined ? REDACTED : `${userInfo}${REDACTED}@`;
  });
}

function isCard(digits: string): boolean {
  if (!ISSUED.test(digits)) return false;
  let sum = 0;
  for (let place = 0; place < digits.length; place++) {
    const digit = Number(digits.charAt(digits.length - 1 - place)) * (place % 2 === 0 ? 1 : 2);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 === 0;
}

/** The check of ISO 13616: as a number, letters as two digits, it is one more than a multiple of 97. */
function isAccount(iban: string): boolean {
  let rest = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    for (const digit of Number.parseInt(character, 36).toString()) rest = (rest * 10 + Number(digit)) % 97;
  }
  return rest === 1;
}
