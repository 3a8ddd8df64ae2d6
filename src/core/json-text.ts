/**
 * JSON text from outside: parsed, or refused with the place of the fault. `JSON.parse` names a position for some
 * faults only and quotes the input for others, so the place is found by a scan of our own, which runs on faulty text only.
 */
import { AosError } from './errors.ts';
import type { JsonValue } from './json.ts';

/** Deeper data than any of ours; what is deeper would overflow the stack of whatever walks it. */
const MAX_DEPTH = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
const BLANK = /[ \t\n\r]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/**
 * The value that `text` says.
 * @param what names the text in the message, e.g. 'the request body'
 * @throws AosError invalid_request: where the text stops being JSON, or that it is nested too deep
 */
export function parseJsonText(text: string, what: string): JsonValue {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    throw new AosError('invalid_request', `${what} is not valid JSON: ${describeFault(text)}`);
  }
  if (isTooDeep(value)) {
    throw new AosError('invalid_request', `${what} is nested too deep: at most ${MAX_DEPTH} levels can be used`);
  }
  return value;
}

export interface JsonFault {
  /** UTF-16 offset of the first character that cannot stand where it stands; the text's length when it ends too soon. */
  readonly offset: number;
  readonly expected: string;
}

function describeFault(text: string): string {
  if (text.trim() === '') return 'it is empty; send a JSON object';
  const fault = findJsonFault(text);
  if (fault === undefined) return 'it cannot be parsed';
  const before = text.slice(0, fault.offset);
  const line = before.split('\n').length;
  const column = fault.offset - before.lastIndexOf('\n');
  const character = text.codePointAt(fault.offset);
  const got = character === undefined ? 'the end' : JSON.stringify(String.fromCodePoint(character));
  return `expected ${fault.expected} at line ${line}, column ${column}, got ${got}`;
}

type Expectation = 'value' | 'value or ]' | 'key or }' | 'key' | 'colon' | ', or ]' | ', or }' | 'end';

const EXPECTED: Readonly<Record<Expectation, string>> = {
  value: 'a value',
  'value or ]': "a value or ']'",
  'key or }': "a name in double quotes or '}'",
  key: 'a name in double quotes',
  colon: "':'",
  ', or ]': "',' or ']'",
  ', or }': "',' or '}'",
  end: 'nothing more',
};

/** The first fault of `text` as JSON; undefined when it has none. */
export function findJsonFault(text: string): JsonFault | undefined {
  const closers: string[] = [];
  let expectation: Expectation = 'value';
  let offset = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = offset;
    if (!pattern.test(text)) return false;
    offset = pattern.lastIndex;
    return true;
  };
  const afterValue = (): Expectation => {
    const closer = closers.at(-1);
    return closer === undefined ? 'end' : closer === ']' ? ', or ]' : ', or }';
  };
  /** Takes a string, or stops at its fault. By hand: a pattern over megabytes would exhaust the pattern's stack. */
  const takeString = (): JsonFault | undefined => {
    offset += 1;
    for (;;) {
      const unit = text.charCodeAt(offset);
      if (unit === BACKSLASH) {
        if (!take(ESCAPE)) return { offset, expected: 'a valid escape' };
      } else if (unit >= FIRST_PRINTABLE) {
        offset += 1;
        if (unit === QUOTE) return undefined;
      } else {
        return { offset, expected: 'the closing quote of the text' };
      }
    }
  };
  for (;;) {
    take(BLANK);
    const character = text[offset];
    if (character === undefined) return expectation === 'end' ? undefined : fault(offset, expectation);
    const closes = character === closers.at(-1) && expectation.endsWith(character);
    if (closes) {
      closers.pop();
      offset += 1;
      expectation = afterValue();
    } else if (expectation === 'value' || expectation === 'value or ]') {
      if (character === '[' || character === '{') {
        closers.push(character === '[' ? ']' : '}');
        offset += 1;
        expectation = character === '[' ? 'value or ]' : 'key or }';
      } else if (character === '"') {
        const broken = takeString();
        if (broken !== undefined) return broken;
        expectation = afterValue();
      } else {
        if (!take(SCALAR)) return fault(offset, expectation);
        expectation = afterValue();
      }
    } else if (expectation === 'key' || expectation === 'key or }') {
      const broken = character === '"' ? takeString() : fault(offset, expectation);
      if (broken !== undefined) return broken;
      expectation = 'colon';
    } else if (expectation === 'colon' && character === ':') {
      offset += 1;
      expectation = 'value';
    } else if ((expectation === ', or ]' || expectation === ', or }') && character === ',') {
      offset += 1;
      expectation = expectation === ', or ]' ? 'value' : 'key';
    } else {
      return fault(offset, expectation);
    }
  }
}

function fault(offset: number, expectation: Expectation): JsonFault {
  return { offset, expected: EXPECTED[expectation] };
}

function isTooDeep(value: JsonValue): boolean {
  const pending: { value: JsonValue; depth: number }[] = [{ value, depth: 1 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value: current, depth } = next;
    if (typeof current !== 'object' || current === null) continue;
    if (depth > MAX_DEPTH) return true;
    for (const member of Object.values(current)) pending.push({ value: member, depth: depth + 1 });
  }
  return false;
}
