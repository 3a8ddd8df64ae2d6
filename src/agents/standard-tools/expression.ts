/**
 * Arithmetic in text: `2 * (3 + 4)^2`, `sqrt(2) / pi`, `max(1, 2, 3)`. Read by rules and computed at once; nothing of
 * it is ever run as code. Powers bind from right to left and stronger than a sign before them: `-2^2` is -4.
 */
import { AosError } from '../../core/errors.ts';

/** Longest expression that is read, in characters. */
const MAX_LENGTH = 1000;
/** Deepest nesting of parentheses, signs and powers. */
const MAX_DEPTH = 100;

type Fn = (...args: number[]) => number;

const FUNCTIONS: Readonly<Record<string, { readonly apply: Fn; readonly least: number; readonly most: number }>> = {
  abs: { apply: Math.abs, least: 1, most: 1 },
  ceil: { apply: Math.ceil, least: 1, most: 1 },
  cos: { apply: Math.cos, least: 1, most: 1 },
  exp: { apply: Math.exp, least: 1, most: 1 },
  floor: { apply: Math.floor, least: 1, most: 1 },
  ln: { apply: Math.log, least: 1, most: 1 },
  log: { apply: Math.log10, least: 1, most: 1 },
  log2: { apply: Math.log2, least: 1, most: 1 },
  max: { apply: Math.max, least: 1, most: 100 },
  min: { apply: Math.min, least: 1, most: 100 },
  round: { apply: rounded, least: 1, most: 2 },
  sin: { apply: Math.sin, least: 1, most: 1 },
  sqrt: { apply: Math.sqrt, least: 1, most: 1 },
  tan: { apply: Math.tan, least: 1, most: 1 },
};

const NAMED: Readonly<Record<string, number>> = { pi: Math.PI, e: Math.E };

const BLANK = /\s*/y;
const NUMBER = /(?:\d+(?:_\d{3})*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const NAME = /[A-Za-z][A-Za-z0-9]*/y;
const SIGN = /\*\*|[-+*/%^(),×÷−]/y;

/** Signs people write for the ones we read. */
const SAME_SIGN: Readonly<Record<string, string>> = { '**': '^', '×': '*', '÷': '/', '−': '-' };

/**
 * The value of an expression.
 * @throws AosError invalid_request: where it stops being an expression, or that it has no value
 */
export function evaluate(expression: string): number {
  if (expression.length > MAX_LENGTH) {
    throw faulty(`the expression has ${expression.length} characters; at most ${MAX_LENGTH} are read`);
  }
  const reader = createReader(expression);
  const value = sum(reader, 0);
  if (reader.peek() !== '') reader.fail('an operator or the end');
  if (!Number.isFinite(value)) throw faulty(`the expression has no finite value (it comes to ${value})`);
  return value;
}

interface Reader {
  /** The sign or the beginning of whatever stands next; '' at the end. */
  peek(): string;
  /** Takes the sign, if it stands next. */
  take(sign: string): boolean;
  number(): number | undefined;
  name(): string | undefined;
  fail(expected: string): never;
}

function createReader(text: string): Reader {
  let offset = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = offset;
    return pattern.exec(text)?.[0];
  };
  const skipBlank = () => {
    offset += match(BLANK)?.length ?? 0;
  };
  const takeAny = (pattern: RegExp): string | undefined => {
    skipBlank();
    const found = match(pattern);
    offset += found?.length ?? 0;
    return found;
  };
  const peek = () => {
    skipBlank();
    const sign = match(SIGN);
    return sign === undefined ? text.slice(offset, offset + 1) : (SAME_SIGN[sign] ?? sign);
  };
  return {
    peek,
    take(sign) {
      if (peek() !== sign) return false;
      offset += match(SIGN)?.length ?? 0;
      return true;
    },
    number() {
      const found = takeAny(NUMBER);
      return found === undefined ? undefined : Number(found.replaceAll('_', ''));
    },
    name: () => takeAny(NAME),
    fail(expected) {
      skipBlank();
      const rest = text.slice(offset, offset + 20);
      throw faulty(`expected ${expected} at character ${offset + 1}, got ${rest === '' ? 'the end' : `"${rest}"`}`);
    },
  };
}

function sum(reader: Reader, depth: number): number {
  let value = product(reader, depth);
  for (;;) {
    if (reader.take('+')) value += product(reader, depth);
    else if (reader.take('-')) value -= product(reader, depth);
    else return value;
  }
}

function product(reader: Reader, depth: number): number {
  let value = signed(reader, depth);
  for (;;) {
    if (reader.take('*')) value *= signed(reader, depth);
    else if (reader.take('/')) value = divided(value, signed(reader, depth));
    else if (reader.take('%')) value = remainder(value, signed(reader, depth));
    else return value;
  }
}

function signed(reader: Reader, depth: number): number {
  if (depth > MAX_DEPTH) throw faulty(`the expression is nested more than ${MAX_DEPTH} deep`);
  if (reader.take('-')) return -signed(reader, depth + 1);
  if (reader.take('+')) return signed(reader, depth + 1);
  const base = single(reader, depth);
  return reader.take('^') ? base ** signed(reader, depth + 1) : base;
}

function single(reader: Reader, depth: number): number {
  if (reader.take('(')) {
    const value = sum(reader, depth + 1);
    if (!reader.take(')')) reader.fail('")"');
    return value;
  }
  const number = reader.number();
  if (number !== undefined) return number;
  const name = reader.name()?.toLowerCase();
  if (name === undefined) reader.fail('a number, a name or "("');
  return reader.peek() === '(' ? called(reader, name, depth) : constant(name);
}

function called(reader: Reader, name: string, depth: number): number {
  const fn = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (fn === undefined)
    throw faulty(`there is no function "${name}" (there are: ${Object.keys(FUNCTIONS).join(', ')})`);
  reader.take('(');
  const args = [sum(reader, depth + 1)];
  while (reader.take(',')) args.push(sum(reader, depth + 1));
  if (!reader.take(')')) reader.fail('"," or ")"');
  if (args.length < fn.least || args.length > fn.most) {
    const wanted = fn.least === fn.most ? `${fn.least}` : `${fn.least} to ${fn.most}`;
    throw faulty(`${name} takes ${wanted} arguments, got ${args.length}`);
  }
  return fn.apply(...args);
}

function constant(name: string): number {
  const value = Object.hasOwn(NAMED, name) ? NAMED[name] : undefined;
  if (value === undefined) throw faulty(`there is no "${name}" (there are: ${Object.keys(NAMED).join(', ')})`);
  return value;
}

function divided(value: number, by: number): number {
  if (by === 0) throw faulty('a division by zero has no result');
  return value / by;
}

function remainder(value: number, by: number): number {
  if (by === 0) throw faulty('the remainder of a division by zero has no result');
  return value % by;
}

/** Half away from zero, at so many digits behind the point: as people round, not as binary fractions happen to fall. */
function rounded(value: number, digits = 0): number {
  if (!Number.isInteger(digits) || Math.abs(digits) > 15) throw faulty('round takes 0 to 15 digits');
  const shifted = Number(`${Math.abs(value)}e${digits}`);
  if (!Number.isFinite(shifted)) return value;
  return Math.sign(value) * Number(`${Math.round(shifted)}e${-digits}`);
}

function faulty(message: string): AosError {
  return new AosError('invalid_request', message);
}
