/** Messages that let another agent know what one knows, and correct it later. */
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import { jsonOf } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { SharedContexts } from '../delegation/agent-context.ts';
import type { AgentDirectory } from '../delegation/directory.ts';
import type { Correspondence, Handlers } from './a2a-correspondence.ts';
import { freeForm, protocolId } from './field.ts';

const sharing = z.object({ context: freeForm.nullish() });
const updating = z.object({ context_id: protocolId, context: freeForm });

export interface SharingParts {
  readonly correspondence: Correspondence;
  readonly directory: AgentDirectory;
  readonly contexts: SharedContexts;
}

export function createSharing({ correspondence, directory, contexts }: SharingParts): Handlers {
  const { admit, letterOf, keep, posted, note } = correspondence;

  return {
    async context_share(call) {
      const { id, caller, from, to } = call;
      if (to === undefined) throw new AosError('invalid_request', '"to_agent" is missing: who is to know it?');
      const admitted = await admit(call);
      const { context = {} } = checkSchema(sharing, admitted.payload, 'the payload');
      const contextId = newUuid();
      const letter = letterOf(
        call,
        { ...admitted, payload: { ...admitted.payload, context_id: contextId } },
        { contextId },
      );
      const sent = await keep(call, letter, undefined, async (trx) => {
        await note(trx, 'A2A_CONTEXT_SHARE', letter);
        const { correlationId, scan, expiresAt } = letter;
        const place = { id: contextId, caller, from: from.id, to: to.id, correlationId };
        await contexts.share(trx, { ...place, context: jsonOf(context), scan, expiresAt });
      });
      return posted({ ...call, id, waitMs: 0 }, sent, () => true);
    },
    async context_update(call) {
      const { caller, from } = call;
      const admitted = await admit(call);
      const { context_id: contextId, context } = checkSchema(updating, admitted.payload, 'the payload');
      const known = await contexts.find(caller.tenantId, contextId);
      const to = known && (await directory.find(caller.tenantId, known.to));
      const letter = {
        ...letterOf(call, admitted, { contextId }),
        ...(known !== undefined && { to: known.to, correlationId: known.correlationId }),
      };
      const sent = await keep({ ...call, to }, letter, undefined, async (trx) => {
        await contexts.update(trx, { caller, from: from.id, id: contextId }, jsonOf(context), admitted.scan);
        await note(trx, 'A2A_CONTEXT_SHARE', letter);
      });
      return posted({ ...call, waitMs: 0 }, sent, () => true);
    },
  };
}
