/** What delegators write: that somebody is to do their work, and that it is wanted no longer. */
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import { checkSchema } from '../core/schema-check.ts';
import { rejectionCodes } from '../delegation/delegation.ts';
import type { DelegationDesk } from '../delegation/delegation-desk.ts';
import type { Mail } from '../delegation/mail.ts';
import type { Correspondence, Handlers } from './a2a-correspondence.ts';
import { type Delegating, termsOf } from './a2a-delegating.ts';
import { askedDelegation } from './a2a-field.ts';
import { protocolId } from './field.ts';

const cancellation = z.object({ delegation_id: protocolId.nullish(), reason: z.string().max(500).nullish() });

export interface DelegatorParts {
  readonly correspondence: Correspondence;
  readonly delegating: Delegating;
  readonly desk: Pick<DelegationDesk, 'cancel'>;
  readonly mail: Mail;
}

export function createDelegators({ correspondence, delegating, desk, mail }: DelegatorParts): Handlers {
  const { admit, spoken, posted } = correspondence;

  return {
    async delegate(call) {
      const { asked, id, caller, from, context } = call;
      const order = {
        caller,
        id,
        from: from.id,
        to: asked.to_agent ?? undefined,
        asked: checkSchema(askedDelegation, call.payload, 'the payload'),
        ...termsOf(asked),
        callId: context.callId,
      };
      try {
        const { letter } = await delegating.order(order);
        // The acceptance is there at once; who waits, waits for the result.
        return posted(call, letter, ({ type }) => call.waitMs === 0 || type !== 'delegate_accept');
      } catch (thrown) {
        if (!(thrown instanceof AosError) || !rejectionCodes.some((code) => code === thrown.reason)) throw thrown;
        const admitted = { payload: call.payload, metadata: {}, scan: null, fabric: {}, plane: undefined };
        const payload = { error: thrown.message, code: thrown.reason ?? '', ...thrown.facts };
        return spoken(call, admitted, { type: 'delegate_reject', payload });
      }
    },
    async cancel(call) {
      const { delegation_id: id, reason } = checkSchema(cancellation, call.payload, 'the payload');
      const original =
        call.asked.in_reply_to == null ? undefined : await mail.find(call.caller.tenantId, call.asked.in_reply_to);
      const named = id ?? original?.delegationId;
      if (named == null)
        throw new AosError('invalid_request', '"payload.delegation_id" is missing: what is to be cancelled?');
      const admitted = await admit(call);
      try {
        const { status } = await desk.cancel(call.caller, named, reason || `cancelled by ${call.from.id}`);
        return spoken(call, admitted, { type: 'cancel_ack', payload: { delegation_id: named, status } });
      } catch (thrown) {
        if (!(thrown instanceof AosError) || thrown.status >= 500) throw thrown;
        const { facts, message } = thrown;
        // Asking twice is no fault.
        if (facts['status'] === 'cancelled') {
          return spoken(call, admitted, { type: 'cancel_ack', payload: { delegation_id: named, status: 'cancelled' } });
        }
        const code = thrown.code === 'not_found' ? 'NOT_FOUND' : (thrown.reason ?? 'CANCEL_FAILED');
        return spoken(call, admitted, { type: 'error', payload: { error: message, code, ...facts } });
      }
    },
  };
}
