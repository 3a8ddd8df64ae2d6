/** What delegatees write: that they take a delegation or not, that they are at it, and what came of it. */
import { z } from 'zod';
import { type JsonValue, jsonOf } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { DelegateeWord } from '../delegation/delegatee-word.ts';
import type { DelegationDesk } from '../delegation/delegation-desk.ts';
import { unknownDelegation } from '../delegation/delegation-fault.ts';
import type { Mail } from '../delegation/mail.ts';
import type { PassOn } from './a2a-answer.ts';
import type { Call, Correspondence, Handlers } from './a2a-correspondence.ts';
import type { Admitted } from './a2a-ingress.ts';
import { freeForm } from './field.ts';

const rejection = z.object({ error: z.string().max(2000).nullish(), code: z.string().max(100).nullish() });
const result = z.object({
  result: z.unknown(),
  error: z.string().max(4000).nullish(),
  code: z.string().max(100).nullish(),
  tokens_used: z.int().min(0).nullish(),
  cost_usd: z.number().min(0).nullish(),
  steps_executed: z.int().min(0).nullish(),
  output_context: freeForm.nullish(),
});

export interface DelegateeParts {
  readonly correspondence: Correspondence;
  readonly passOn: PassOn;
  readonly desk: DelegationDesk;
  readonly mail: Mail;
}

export function createDelegatees({ correspondence, passOn, desk, mail }: DelegateeParts): Handlers {
  const { admit, letterOf, replied } = correspondence;

  /** The delegation that a word of its delegatee is about. */
  async function wordOf(call: Call, admitted: Admitted): Promise<DelegateeWord> {
    const { asked, caller, from, requestHash } = call;
    const original = asked.in_reply_to == null ? undefined : await mail.find(caller.tenantId, asked.in_reply_to);
    const named = admitted.payload['delegation_id'];
    const id = typeof named === 'string' ? named : original?.delegationId;
    const delegation = typeof id === 'string' ? await desk.find(caller, id) : undefined;
    if (delegation === undefined || delegation.to !== from.id) throw unknownDelegation(String(id ?? asked.in_reply_to));
    const letter = {
      ...letterOf(call, { ...admitted, payload: { ...admitted.payload, delegation_id: delegation.id } }),
      to: delegation.from,
      correlationId: delegation.correlationId,
      inReplyTo: delegation.messageId,
      delegationId: delegation.id,
      caller: delegation.caller,
    };
    return { caller, id: delegation.id, agent: from.id, letter: { letter, requestHash } };
  }

  return {
    async delegate_accept(call) {
      const admitted = await admit(call);
      await desk.accept(await wordOf(call, admitted));
      return replied(call);
    },
    async delegate_reject(call) {
      const admitted = await admit(call);
      const { error, code } = checkSchema(rejection, admitted.payload, 'the payload');
      await desk.reject(await wordOf(call, admitted), {
        code: code ?? 'REJECTED',
        message: error ?? `${call.from.id} rejected it`,
      });
      return replied(call);
    },
    async delegate_result(call) {
      const admitted = await admit(call);
      const said = checkSchema(result, admitted.payload, 'the payload');
      const { tokens_used: tokens, cost_usd: costUsd, steps_executed: steps } = said;
      const failure = said.error == null ? null : { code: said.code ?? 'FAILED', message: said.error };
      const status = failure === null ? 'completed' : 'failed';
      const told = { result: null, error: null, ...admitted.payload, status };
      await desk.complete(await wordOf(call, { ...admitted, payload: told }), {
        result: (said.result ?? null) as JsonValue,
        outputContext: said.output_context == null ? null : jsonOf(said.output_context),
        failure,
        tokens: tokens ?? null,
        costUsd: costUsd ?? null,
        steps: steps ?? null,
      });
      return replied(call);
    },
    async status_response(call) {
      const admitted = await admit(call);
      if (admitted.payload['status'] !== 'in_progress') return passOn(call, admitted);
      await desk.begin(await wordOf(call, admitted));
      return replied(call);
    },
  };
}
