import { z } from 'zod';
import type { SessionDocuments } from '../session-documents.ts';
import type { Tool } from '../tool.ts';

const input = z.object({
  query: z.string().min(1).max(500).describe('The words to look for.'),
  limit: z.int().min(1).max(10).default(4).describe('How many passages at most.'),
});

/** Finds passages in the documents of the session that the run belongs to. */
export function createSearchDocuments(documents: SessionDocuments): Tool<z.output<typeof input>> {
  return {
    name: 'search_documents',
    version: '1',
    description:
      'Finds passages in the documents of this session by their words. Use it before answering from documents, notes or recorded decisions.',
    input,
    effect: 'read',
    timeoutMs: 10_000,
    async run({ query, limit }, { caller, sessionId }) {
      const found = await documents.search({ ...caller, sessionId }, query, limit);
      return {
        passages: found.map(({ id, title, passage, score }) => ({
          document: id,
          title,
          passage,
          score: Math.round(score * 1000) / 1000,
        })),
      };
    },
  };
}
