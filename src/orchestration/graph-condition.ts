/**
 * Conditions on edges: JSON that is read, never code that is run. A condition compares what a path leads to, or joins
 * other conditions: `{"and": […]}`, `{"or": […]}`, `{"not": …}`. Where there is nothing at the path, every comparison is
 * false but `exists: false` and `not_equals`. Sizes are compared between two numbers or two texts only.
 */
import { z } from 'zod';
import { canonicalJson, isJsonObject, type JsonValue } from '../core/json.ts';
import { type GraphView, type Path, pathSchema, valueAt } from './graph-reference.ts';

const MAX_DEPTH = 20;

const comparisons = {
  equals: z.json().optional(),
  not_equals: z.json().optional(),
  gt: z.union([z.number(), z.string()]).optional(),
  gte: z.union([z.number(), z.string()]).optional(),
  lt: z.union([z.number(), z.string()]).optional(),
  lte: z.union([z.number(), z.string()]).optional(),
  contains: z.json().optional().meta({ description: 'A part of a text, an item of a list, or a name in an object' }),
  in: z.array(z.json()).optional().meta({ description: 'One of these values' }),
  exists: z.boolean().optional(),
};
const comparisonNames = Object.keys(comparisons) as (keyof typeof comparisons)[];

const comparison = z
  .strictObject({ path: pathSchema, ...comparisons })
  .refine((given) => comparisonNames.some((name) => given[name] !== undefined), {
    error: `must compare: one of ${comparisonNames.join(', ')}`,
  });
export type Comparison = z.infer<typeof comparison>;

export type Condition =
  | Comparison
  | { readonly and: readonly Condition[] }
  | { readonly or: readonly Condition[] }
  | { readonly not: Condition };

export const conditionSchema: z.ZodType<Condition> = z
  .lazy(() =>
    z.union([
      comparison,
      z.strictObject({ and: z.array(conditionSchema).min(1) }),
      z.strictObject({ or: z.array(conditionSchema).min(1) }),
      z.strictObject({ not: conditionSchema }),
    ]),
  )
  .meta({
    id: 'GraphCondition',
    description: `{"path": …} with one or more of ${comparisonNames.join(', ')}, all of which must hold; or and, or, not`,
  });

export function holds(condition: Condition, view: GraphView): boolean {
  if ('and' in condition) return condition.and.every((part) => holds(part, view));
  if ('or' in condition) return condition.or.some((part) => holds(part, view));
  if ('not' in condition) return !holds(condition.not, view);
  return compares(condition, valueAt(view, condition.path));
}

/** The paths that a condition reads. */
export function pathsOf(condition: Condition): readonly Path[] {
  if ('and' in condition) return condition.and.flatMap(pathsOf);
  if ('or' in condition) return condition.or.flatMap(pathsOf);
  return 'not' in condition ? pathsOf(condition.not) : [condition.path];
}

/** Whether a condition is nested deeper than anybody needs. */
export function isTooDeep(condition: unknown, depth = 0): boolean {
  if (depth > MAX_DEPTH) return true;
  if (!isJsonObject(condition)) return false;
  const parts = [condition['and'], condition['or'], condition['not']].flat();
  return parts.some((part) => part !== undefined && isTooDeep(part, depth + 1));
}

function compares(wanted: Comparison, value: JsonValue | undefined): boolean {
  const { equals, not_equals, gt, gte, lt, lte, contains, exists } = wanted;
  const order = (bound: number | string | undefined, fits: (sign: number) => boolean) =>
    bound === undefined || fits(compareSizes(value, bound));
  return (
    (exists === undefined || exists === (value !== undefined && value !== null)) &&
    (equals === undefined || isEqual(value, equals)) &&
    (not_equals === undefined || !isEqual(value, not_equals)) &&
    (wanted.in === undefined || wanted.in.some((item) => isEqual(value, item))) &&
    (contains === undefined || doesContain(value, contains)) &&
    order(gt, (sign) => sign > 0) &&
    order(gte, (sign) => sign >= 0) &&
    order(lt, (sign) => sign < 0) &&
    order(lte, (sign) => sign <= 0)
  );
}

function isEqual(value: JsonValue | undefined, other: JsonValue): boolean {
  return value !== undefined && canonicalJson(value) === canonicalJson(other);
}

/** -1, 0 or 1; NaN, which is neither, for what cannot be compared. */
function compareSizes(value: JsonValue | undefined, bound: number | string): number {
  if (typeof value === 'number' && typeof bound === 'number') return Math.sign(value - bound);
  if (typeof value === 'string' && typeof bound === 'string') return value === bound ? 0 : value < bound ? -1 : 1;
  return Number.NaN;
}

function doesContain(value: JsonValue | undefined, part: JsonValue): boolean {
  if (typeof value === 'string') return typeof part === 'string' && value.includes(part);
  if (Array.isArray(value)) return value.some((item) => isEqual(item, part));
  return isJsonObject(value) && typeof part === 'string' && Object.hasOwn(value, part);
}
