import { z } from 'zod';
import { isoTime } from '../../core/clock.ts';
import type { SessionDocuments } from '../session-documents.ts';
import type { Tool } from '../tool.ts';

const input = z.object({
  decision: z.string().min(1).max(4000).describe('What is decided, complete in itself.'),
  reason: z.string().max(4000).optional().describe('Why.'),
});

/**
 * Writes a decision into the documents of the session, once somebody has approved exactly its words. It is also the way
 * to see an approval without a model: an agent that has this tool (the CEO of the shipped registry) and is told
 * "record the decision: …" asks for it, by the simulated model too; the run then waits until the approval is decided.
 */
export function createRecordDecision(documents: SessionDocuments): Tool<z.output<typeof input>> {
  return {
    name: 'record_decision',
    version: '1',
    description:
      'Records a decision in the documents of this session, after somebody has approved it. Use it when asked to record a decision.',
    input,
    effect: 'write',
    timeoutMs: 10_000,
    requiresApproval: () => true,
    async run({ decision, reason }, { caller, sessionId, idempotencyKey, clock }) {
      const day = isoTime(clock.now()).slice(0, 10);
      const document = await documents.add(
        { ...caller, sessionId },
        {
          key: idempotencyKey,
          title: `Decision of ${day}`,
          content: reason === undefined ? decision : `${decision}\n\nReason: ${reason}`,
        },
      );
      return { recorded: decision, document: document.id };
    },
  };
}
