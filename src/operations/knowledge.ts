/**
 * The knowledge base of client programs: documents with a status, found again by words in them. Every change keeps the
 * version before it.
 */
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Caller } from '../runs/run.ts';
import { freeForm, protocolId, time } from './field.ts';
import { type Operation, realize, specify } from './operation.ts';
import type { KeptRecord, RecordStore } from './record-store.ts';

const documentStatuses = ['draft', 'review', 'approved', 'published', 'archived', 'deprecated'] as const;
/** Versions kept of one document. */
const MAX_VERSIONS = 50;
const SEARCHED = 500;

const document = z
  .object({
    id: protocolId,
    title: z.string(),
    doc_type: z.string(),
    status: z.enum(documentStatuses),
    content: freeForm,
    tags: z.array(z.string()),
    metadata: freeForm,
    version: z.int(),
    created_at: time,
    updated_at: time,
    created_by: z.string().nullable(),
  })
  .meta({ id: 'KnowledgeDocument', description: 'A document of the knowledge base' });

const members = {
  title: z.string().min(1).max(500),
  doc_type: z.string().min(1).max(100),
  status: z.enum(documentStatuses).default('draft'),
  content: freeForm,
  tags: z.array(z.string().max(200)).max(100).default([]),
  metadata: freeForm.default({}),
  created_by: z.string().max(200).nullish(),
};

const BASE = '/api/knowledge/documents';
const one = z.object({ document_id: protocolId });
const flat = { status: 200, family: 'flat' } as const;

export const createDocument = specify({
  name: 'knowledge.create',
  summary: 'Add a document',
  input: z.object(members),
  output: document,
  screens: ['title', 'content', 'tags', 'metadata'],
  rest: { ...flat, method: 'POST', path: BASE, status: 201 },
  example: { input: { title: 'Pricing', doc_type: 'policy', content: { text: 'No discounts above 20 %.' } } },
});

export const searchKnowledge = specify({
  name: 'knowledge.search',
  summary: 'The documents that hold all of some words, newest first',
  input: z.object({
    query: z.string().max(500).default(''),
    doc_type: z.string().max(100).optional(),
    limit: z.coerce.number().int().min(1).max(SEARCHED).default(10),
  }),
  output: z.object({ documents: z.array(document) }),
  rest: { ...flat, method: 'GET', path: BASE },
});

export const getDocument = specify({
  name: 'knowledge.get',
  summary: 'One document',
  input: one,
  output: document,
  rest: { ...flat, method: 'GET', path: `${BASE}/{document_id}` },
  errors: ['not_found'],
});

export const changeDocument = specify({
  name: 'knowledge.change',
  summary: 'Change members of a document; the version before is kept',
  input: one.extend({
    title: members.title.optional(),
    doc_type: members.doc_type.optional(),
    status: z.enum(documentStatuses).optional(),
    content: freeForm.optional(),
    tags: z.array(z.string().max(200)).max(100).optional(),
    metadata: freeForm.optional(),
  }),
  output: document,
  screens: ['title', 'content', 'tags', 'metadata'],
  rest: { ...flat, method: 'POST', path: `${BASE}/{document_id}` },
  errors: ['not_found'],
  example: { input: { content: { text: 'No discounts above 15 %.' } } },
});

export const removeDocument = specify({
  name: 'knowledge.remove',
  summary: 'Delete a document with all its versions',
  input: one,
  output: z.object({}),
  rest: { ...flat, method: 'DELETE', path: `${BASE}/{document_id}`, status: 204 },
  errors: ['not_found'],
});

export const listDocumentVersions = specify({
  name: 'knowledge.versions',
  summary: 'What a document was, newest first',
  input: one,
  output: z.object({ versions: z.array(document) }),
  rest: { ...flat, method: 'GET', path: `${BASE}/{document_id}/versions` },
  errors: ['not_found'],
});

export const knowledgeSpecs = [
  createDocument,
  searchKnowledge,
  getDocument,
  changeDocument,
  removeDocument,
  listDocumentVersions,
];

export function createKnowledgeOperations({ records }: { readonly records: RecordStore }): readonly Operation[] {
  async function find(id: string, { tenantId }: Caller): Promise<KeptRecord> {
    const record = await records.find(tenantId, 'document', id);
    if (record !== undefined) return record;
    throw new AosError('not_found', `Document '${id}' not found`, { reason: 'DOCUMENT_NOT_FOUND' });
  }

  return [
    realize(createDocument, async (asked, { caller }) => {
      const data = { ...asked, version: 1, versions: [] };
      return viewDocument(await records.put(caller.tenantId, 'document', newUuid(), data as JsonObject));
    }),
    realize(searchKnowledge, async ({ query, doc_type: type, limit }, { caller }) => {
      const words = query.toLowerCase().split(/\s+/).filter(Boolean);
      const { items } = await records.list(caller.tenantId, 'document', SEARCHED);
      const found = items.filter(({ data }) => {
        const { versions: _, ...current } = data;
        const text = JSON.stringify(current).toLowerCase();
        return (type === undefined || data['doc_type'] === type) && words.every((word) => text.includes(word));
      });
      return { documents: found.slice(0, limit).map(viewDocument) };
    }),
    realize(getDocument, async ({ document_id: id }, { caller }) => viewDocument(await find(id, caller))),
    realize(changeDocument, async ({ document_id: id, ...change }, { caller }) => {
      const { data, updatedAt } = await find(id, caller);
      const { versions = [], ...before } = data;
      const kept = [{ ...before, updated_at: updatedAt }, ...(versions as JsonObject[])].slice(0, MAX_VERSIONS);
      const next = { ...before, ...(change as JsonObject), version: Number(data['version']) + 1, versions: kept };
      return viewDocument(await records.put(caller.tenantId, 'document', id, next as JsonObject));
    }),
    realize(removeDocument, async ({ document_id: id }, { caller }) => {
      await find(id, caller);
      await records.remove(caller.tenantId, 'document', id);
      return {};
    }),
    realize(listDocumentVersions, async ({ document_id: id }, { caller }) => {
      const record = await find(id, caller);
      const versions = (record.data['versions'] ?? []) as JsonObject[];
      return {
        versions: versions.map((data) =>
          viewDocument({ ...record, data, updatedAt: String(data['updated_at'] ?? record.updatedAt) }),
        ),
      };
    }),
  ];
}

function viewDocument({ id, data, createdAt, updatedAt }: KeptRecord): z.infer<typeof document> {
  const by: JsonValue | undefined = data['created_by'];
  return {
    id,
    title: String(data['title']),
    doc_type: String(data['doc_type']),
    status: documentStatuses.find((status) => status === data['status']) ?? 'draft',
    content: (data['content'] ?? {}) as JsonObject,
    tags: (data['tags'] ?? []) as string[],
    metadata: (data['metadata'] ?? {}) as JsonObject,
    version: Number(data['version'] ?? 1),
    created_at: createdAt,
    updated_at: updatedAt,
    created_by: typeof by === 'string' ? by : null,
  };
}
