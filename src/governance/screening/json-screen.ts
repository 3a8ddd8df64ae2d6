/**
 * Screens JSON at any depth: every text, every number and every key, each with the names of the fields it is in before
 * it, because a field called `ssn` says what the number in it is. Walks without recursion, so depth costs no stack.
 */
import type { JsonValue } from '../../core/json.ts';
import type { ScreeningPolicy } from './policy.ts';
import { LEFT_REACH, type Rule } from './rule.ts';
import { createTextScreen, type TextMatch } from './text-screen.ts';

/** Where in the data something was found. */
export interface DataMatch extends TextMatch {
  /** `user.emails[0]`; '' is the data itself. Names of fields that hold personal data are in it as their tokens. */
  readonly path: string;
  /** Whether it stands in the name of the field rather than in its value. */
  readonly inKey: boolean;
}

export interface ScreenedData {
  readonly matches: readonly DataMatch[];
  /** The data with tokens in place of what was found; the data itself when nothing was. */
  readonly redacted: JsonValue;
}

/** A value still to be screened, and where its copy goes. */
interface Visit {
  readonly value: JsonValue;
  readonly path: string;
  /** Names of the fields around it, nearest last. */
  readonly names: string;
  readonly place: (copy: JsonValue) => void;
}

export function screenData(rules: readonly Rule[], policy: ScreeningPolicy, data: JsonValue): ScreenedData {
  const matches: DataMatch[] = [];
  let redacted: JsonValue = data;
  const text = (value: string, path: string, before: string, inKey: boolean): string => {
    const screen = createTextScreen(rules, policy, before);
    const out = screen.finish(value);
    for (const match of screen.matches) matches.push({ ...match, path, inKey });
    return out;
  };
  const rest: Visit[] = [
    {
      value: data,
      path: '',
      names: '',
      place: (copy) => {
        redacted = copy;
      },
    },
  ];
  for (let visit = rest.pop(); visit !== undefined; visit = rest.pop()) {
    const { value, path, names, place } = visit;
    const before = names === '' ? '' : `"${names}":"`;
    if (typeof value === 'string') place(text(value, path, before, false));
    else if (typeof value === 'number') {
      const shown = String(value);
      const out = text(shown, path, before, false);
      place(out === shown ? value : out);
    } else if (Array.isArray(value)) {
      const copy: JsonValue[] = new Array<JsonValue>(value.length).fill(null);
      place(copy);
      const visits = value.map((item, index) => ({
        value: item,
        path: `${path}[${index}]`,
        names,
        place: (screened: JsonValue) => {
          copy[index] = screened;
        },
      }));
      for (const item of visits.reverse()) rest.push(item);
    } else if (typeof value === 'object' && value !== null) {
      const copy: { [key: string]: JsonValue } = {};
      place(copy);
      const visits = Object.entries(value).map(([key, item]) => {
        const shown = text(key, memberPath(path, '*'), '', true);
        const name = unusedName(copy, shown);
        const memberAt = memberPath(path, name);
        for (
          let index = matches.length - 1;
          matches[index]?.inKey && matches[index]?.path === memberPath(path, '*');
          index--
        ) {
          const match = matches[index];
          if (match !== undefined) matches[index] = { ...match, path: memberAt };
        }
        // Fields keep their order; the value follows.
        define(copy, name, null);
        return {
          value: item,
          path: memberAt,
          names: `${names}_${name}`.slice(-LEFT_REACH + 4).replace(/^_/, ''),
          place: (screened: JsonValue) => define(copy, name, screened),
        };
      });
      for (const item of visits.reverse()) rest.push(item);
    } else place(value);
  }
  return { matches, redacted: matches.length === 0 ? data : redacted };
}

/** Also for names such as `__proto__`. */
function define(copy: { [key: string]: JsonValue }, name: string, value: JsonValue): void {
  Object.defineProperty(copy, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Two fields whose names become the same token stay two. */
function unusedName(copy: object, name: string): string {
  let unused = name;
  for (let number = 2; Object.hasOwn(copy, unused); number++) unused = `${name}_${number}`;
  return unused;
}

function memberPath(path: string, name: string): string {
  if (/^[A-Za-z_$][\w$-]*$/.test(name)) return path === '' ? name : `${path}.${name}`;
  return `${path}[${JSON.stringify(name)}]`;
}
