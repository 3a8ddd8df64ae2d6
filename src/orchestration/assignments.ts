/**
 * The parts that a lead gives its people, read from what it wrote: the JSON block it was asked for, else lines that
 * begin with a name. Lenient, because models are; whoever is named nowhere has no part of its own.
 */
import { type Agent, titleOf } from '../agents/agent.ts';
import { isJsonObject, type JsonValue } from '../core/json.ts';

/** @returns the part of each worker that has one, by agent id */
export function assignmentsIn(text: string, workers: readonly Agent[]): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  for (const [name, part] of [...linesIn(text), ...blocksIn(text)]) {
    const worker = workers.find((one) => isNameOf(one, name));
    // Blocks come last and win: they are what was asked for.
    if (worker !== undefined && part.trim() !== '') parts.set(worker.agent_id, part.trim());
  }
  return parts;
}

type NamedPart = readonly [name: string, part: string];

const FENCED = /```[a-z]*\s*\n(?<json>[\s\S]*?)```/gi;

function blocksIn(text: string): NamedPart[] {
  const fenced = [...text.matchAll(FENCED)].map((match) => match.groups?.['json'] ?? '');
  const bare = text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1);
  return [...(fenced.length > 0 ? fenced : [bare])].flatMap((json) => {
    try {
      return partsOf(JSON.parse(json));
    } catch {
      return [];
    }
  });
}

/** `{assignments: {cfo: "…"}}`, the inner object alone, or a list of `{agent_id, task}`. */
function partsOf(value: JsonValue): NamedPart[] {
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      if (!isJsonObject(item)) return [];
      const name = item['agent_id'] ?? item['agent'] ?? item['name'] ?? item['assignee'];
      return typeof name === 'string' ? [[name, wordsOf(item)] as const] : [];
    });
  }
  if (!isJsonObject(value)) return [];
  const inner = value['assignments'];
  if (isJsonObject(inner) || Array.isArray(inner)) return partsOf(inner);
  return Object.entries(value).map(([name, part]) => [name, wordsOf(part)]);
}

function wordsOf(part: JsonValue): string {
  if (typeof part === 'string') return part;
  if (Array.isArray(part)) return part.map(wordsOf).join('; ');
  if (!isJsonObject(part)) return '';
  const named = part['task'] ?? part['assignment'] ?? part['part'] ?? part['description'];
  return named === undefined ? Object.values(part).map(wordsOf).filter(Boolean).join('; ') : wordsOf(named);
}

/** `- **CFO** (finance): compute the runway`, `2. Chief Financial Officer — …`, once its marks are off. */
const NAMED_LINE = /^(?<name>[^:—–]{1,80}?)(?: *\([^)]*\))? *(?::|—|–| - ) *(?<part>.+)$/;
/** Bullets and numbers at the beginning, emphasis anywhere. */
const MARKS = /^[\s>]*(?:[-•+]|\d+[.)])?\s*|[*_`"]+/g;
const LINE_LENGTH = 2000;

function linesIn(text: string): NamedPart[] {
  return text.split('\n').flatMap((line) => {
    const { groups } = NAMED_LINE.exec(line.slice(0, LINE_LENGTH).replace(MARKS, '')) ?? {};
    return groups === undefined ? [] : [[groups['name'] ?? '', groups['part'] ?? ''] as const];
  });
}

function isNameOf(agent: Agent, name: string): boolean {
  const said = name.trim().toLowerCase();
  return said === agent.agent_id.toLowerCase() || said === titleOf(agent).toLowerCase();
}
