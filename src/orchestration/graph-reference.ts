/**
 * References: how a graph names what is there already. A path is `input.task.data.limit` or `nodes.review.output.score`
 * (members by name, items of a list by number), or the same as a list of keys where a name has a dot in it. In texts a
 * path stands in double braces: `Write about {{input.task.topic}}`. Nothing is computed, and only own members are read.
 */
import { z } from 'zod';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';

const MAX_KEYS = 32;

export const pathSchema = z
  .union([
    z.string().min(1).max(500),
    z
      .array(z.union([z.string(), z.int().min(0)]))
      .min(1)
      .max(MAX_KEYS),
  ])
  .meta({
    id: 'GraphPath',
    description:
      'What is meant: input.task…, input.context…, nodes.<id>.output…, nodes.<id>.status, nodes.<id>.visits, and in a for_each item… and index. With dots, or as a list of keys',
  });
export type Path = z.infer<typeof pathSchema>;

/** What of a node others may refer to. */
export type NodeView = {
  status: 'waiting' | 'running' | 'completed' | 'failed' | 'skipped';
  /** Of its latest visit that ended. */
  output: JsonValue;
  /** Why its latest visit failed, else null. */
  error: string | null;
  /** How often it was visited to the end. */
  visits: number;
};

/** Everything that paths lead into. */
export type GraphView = {
  input: JsonObject;
  nodes: { [id: string]: NodeView };
  /** Inside a `for_each`. */
  item?: JsonValue;
  index?: number;
};

export function keysOf(path: Path): readonly string[] {
  return typeof path === 'string' ? path.split('.').map((key) => key.trim()) : path.map(String);
}

export function textOf(path: Path): string {
  return keysOf(path).join('.');
}

/** What a path leads to; undefined where there is nothing. */
export function valueAt(view: GraphView, path: Path): JsonValue | undefined {
  let value: JsonValue | undefined = view;
  for (const key of keysOf(path)) {
    if (Array.isArray(value)) value = /^\d+$/.test(key) ? value[Number(key)] : undefined;
    else value = isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
    if (value === undefined) return undefined;
  }
  return value;
}

const REFERENCE = /\{\{\s*([^{}]+?)\s*\}\}/g;

/**
 * A value with its references filled in. A text that is one reference becomes what it refers to (null when there is
 * nothing); inside a longer text texts stand as they are, nothing as no text, and everything else as JSON.
 */
export function fillIn(template: JsonValue, view: GraphView): JsonValue {
  if (typeof template === 'string') {
    const whole = /^\{\{\s*([^{}]+?)\s*\}\}$/.exec(template)?.[1];
    if (whole !== undefined) return valueAt(view, whole) ?? null;
    return template.replaceAll(REFERENCE, (_, path: string) => asText(valueAt(view, path)));
  }
  if (Array.isArray(template)) return template.map((item) => fillIn(item, view));
  if (!isJsonObject(template)) return template;
  return Object.fromEntries(Object.entries(template).map(([name, member]) => [name, fillIn(member, view)]));
}

/** The paths that a value with references names. */
export function pathsIn(template: JsonValue | undefined): readonly string[] {
  if (typeof template === 'string') return [...template.matchAll(REFERENCE)].map(([, path = '']) => path);
  if (Array.isArray(template)) return template.flatMap(pathsIn);
  return isJsonObject(template) ? Object.values(template).flatMap(pathsIn) : [];
}

/** A value as people read it: a text as it is, nothing as no text, everything else as JSON. */
export function asText(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
