/** The documents of a session: what its agents find with `search_documents`, added, listed and searched by people. */
import { z } from 'zod';
import type { DocumentSummary, SessionDocuments } from '../agents/session-documents.ts';
import { newUuid } from '../core/ids.ts';
import { givenName, pageSize, protocolId, time } from './field.ts';
import { type Operation, realize, specify } from './operation.ts';

const PATH = '/api/v1/aoa/sessions/{session_id}/documents';
const T0 = '2026-02-01T10:00:00.000Z';

const documentView = z
  .object({ id: z.string(), title: z.string(), characters: z.int(), created_at: time })
  .meta({ id: 'SessionDocument' });
const documentExample = { id: 'doc_0f1e2d3c4b5a69788796a5b4', title: 'Lease', characters: 1840, created_at: T0 };

const addDocument = specify({
  name: 'documents.add',
  summary: 'Adds a text to the documents of a session',
  input: z.object({
    session_id: protocolId,
    title: givenName,
    content: z.string().min(1),
    key: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .meta({ description: 'What is added under the same key is there once; every call adds one when left out' }),
  }),
  output: documentView,
  screens: ['title', 'content'],
  rest: { method: 'POST', path: PATH, status: 201, family: 'detail' },
  errors: ['payload_too_large'],
  example: { input: { title: 'Lease', content: 'The lease of the office ends in March.' }, output: documentExample },
});

const listDocuments = specify({
  name: 'documents.list',
  summary: 'The documents of a session, oldest first',
  input: z.object({ session_id: protocolId }),
  output: z.object({ items: z.array(documentView), total: z.int() }),
  rest: { method: 'GET', path: PATH, status: 200, family: 'detail' },
  example: { output: { items: [documentExample], total: 1 } },
});

const searchDocuments = specify({
  name: 'documents.search',
  summary: 'The passages of the documents of a session that fit the words best',
  input: z.object({
    session_id: protocolId,
    q: z.string().min(1).max(500).meta({ description: 'The words to look for' }),
    limit: pageSize.default(10),
  }),
  output: z.object({
    items: z.array(z.object({ document_id: z.string(), title: z.string(), passage: z.string(), score: z.number() })),
  }),
  rest: { method: 'GET', path: `${PATH}/search`, status: 200, family: 'detail' },
  example: {
    output: {
      items: [
        {
          document_id: documentExample.id,
          title: 'Lease',
          passage: 'The lease of the office ends in March.',
          score: 1.42,
        },
      ],
    },
  },
});

export const documentSpecs = [addDocument, listDocuments, searchDocuments];

export interface DocumentParts {
  readonly documents: SessionDocuments;
}

export function createDocumentOperations({ documents }: DocumentParts): readonly Operation[] {
  return [
    realize(addDocument, async ({ session_id: sessionId, title, content, key = newUuid() }, { caller }) =>
      show(await documents.add({ ...caller, sessionId }, { key: `given:${key}`, title, content })),
    ),
    realize(listDocuments, async ({ session_id: sessionId }, { caller }) => {
      const items = (await documents.list({ ...caller, sessionId })).map(show);
      return { items, total: items.length };
    }),
    realize(searchDocuments, async ({ session_id: sessionId, q, limit }, { caller }) => {
      const found = await documents.search({ ...caller, sessionId }, q, limit);
      return { items: found.map(({ id, ...passage }) => ({ document_id: id, ...passage })) };
    }),
  ];
}

function show({ id, title, characters, createdAt }: DocumentSummary) {
  return { id, title, characters, created_at: createdAt };
}
