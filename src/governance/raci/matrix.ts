/**
 * RACI as data: which activities there are, by the names of their actions, and for each who does it (responsible), who
 * answers for it (accountable, one), who is asked (consulted; blocking means that it must agree) and who is told
 * (informed). Whether a matrix makes sense is `matrix-rules.ts`; this file is its form, and how an action finds its
 * place in it.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson, type JsonObject } from '../../core/json.ts';
import { covers, precision } from '../glob.ts';

const name = z.string().trim().min(1).max(200);
/** An action's name, `*` for anything. */
const pattern = z
  .string()
  .regex(/^[a-z0-9_*][A-Za-z0-9_.:*-]*$/, { error: 'must be a pattern of action names such as fabric:crm:*' });

const person = z.union([
  name,
  z.strictObject({
    name,
    /** ISO-8601: until then the substitutes are asked. */
    away_until: z.iso.datetime({ offset: true }).optional(),
  }),
]);

const party = z.strictObject({
  /** Names of people; `*` for everybody who may decide in the tenant. */
  people: z.array(person).max(200).default([]),
  /** What it may be responsible for: `fabric.route`, `*` for anything. */
  capabilities: z.array(name).max(100).default([]),
  /** Parties whose people stand in while its own are away or may not decide. */
  substitutes: z.array(name).max(20).default([]),
  /** The party whose people, or the level, that is asked when nobody decides in time. */
  escalates_to: name.optional(),
  /** Where it is told things. */
  webhook: z.url({ protocol: /^https?$/, error: 'must be an http(s) address' }).optional(),
  description: z.string().max(1000).optional(),
});

const effects = z.enum(['read', 'write', 'external']);

const activity = z.strictObject({
  name,
  actions: z.array(pattern).min(1).max(200),
  /** What every responsible party must be able to do. */
  capability: name.optional(),
  /** Parties; `agent:<id>` for an agent, `agent:*` for any. Where agents are named, only they may act. */
  responsible: z.array(name).min(1).max(50),
  /** Exactly one; a list is taken so that a wrong one can be refused in words. */
  accountable: z.union([name, z.array(name).max(50)]),
  consulted: z
    .array(
      z.union([
        name.transform((each) => ({ party: each, blocking: false, effects: undefined })),
        z.strictObject({
          party: name,
          /** It must agree before the action goes on. */
          blocking: z.boolean().default(false),
          /** For actions of these effects only. */
          effects: z.array(effects).min(1).optional(),
        }),
      ]),
    )
    .max(50)
    .default([]),
  informed: z.array(name).max(50).default([]),
  /** What the informed are told of; `denied` also tells of what was not allowed. */
  inform_of: z.array(z.enum(['read', 'write', 'external', 'denied'])).default(['write', 'external', 'denied']),
});

export const matrixSchema = z.strictObject({
  version: z.literal(1),
  parties: z.record(name, party),
  activities: z.array(activity).min(1).max(500),
});

export type MatrixDocument = z.output<typeof matrixSchema>;
export type Party = z.output<typeof party>;
export type Activity = z.output<typeof activity>;

export interface Matrix {
  readonly document: MatrixDocument;
  /** SHA-256 of the document, hex. */
  readonly hash: string;
  /** The activity that an action belongs to: that of the most precise pattern, the first of equals. */
  activityOf(action: string): Activity | undefined;
}

/** Gives a document that makes sense its look-up. */
export function createMatrix(document: MatrixDocument): Matrix {
  const patterns = document.activities
    .flatMap((each, order) => each.actions.map((text) => ({ text, activity: each, order })))
    .toSorted((one, other) => precision(other.text) - precision(one.text) || one.order - other.order);
  const known = new Map<string, Activity | undefined>();
  return {
    document,
    hash: createHash('sha256')
      .update(canonicalJson(document as unknown as JsonObject))
      .digest('hex'),
    activityOf(action) {
      if (known.has(action)) return known.get(action);
      const found = patterns.find(({ text }) => covers(text, action))?.activity;
      // Names come from rosters and registries, but some are made by callers: the memory of them has a bound.
      if (known.size < 10_000) known.set(action, found);
      return found;
    },
  };
}

/** The one that answers for it; a matrix with another number of them is refused before it is used. */
export function accountableOf({ accountable }: Activity): string {
  return typeof accountable === 'string' ? accountable : (accountable[0] ?? '');
}
