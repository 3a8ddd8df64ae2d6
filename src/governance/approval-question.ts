/** An approver asks back, and somebody answers. The approval stays open meanwhile: others need not wait for the answer. */
import { AosError } from '../core/errors.ts';
import type { Approval } from './approval.ts';
import type { Moved } from './approval-outcome.ts';

export function askBack(approval: Approval, question: string, by: string, at: string): Moved {
  if (approval.exchanges.at(-1)?.answer === null) {
    throw new AosError(
      'conflict',
      `Approval "${approval.id}" has a question that is not answered yet: one at a time.`,
      {
        reason: 'QUESTION_OPEN',
        facts: { status: approval.status },
      },
    );
  }
  const asked = { question, asked_by: by, asked_at: at, answer: null, answered_by: null, answered_at: null };
  const exchanges = [...approval.exchanges, asked];
  return {
    approval: { ...approval, exchanges },
    event: { type: 'approval.asked', data: { approval_id: approval.id, number: exchanges.length, question, by } },
  };
}

export function answer(approval: Approval, text: string, by: string, at: string): Moved {
  const last = approval.exchanges.at(-1);
  if (last?.answer !== null) {
    throw new AosError('conflict', `Approval "${approval.id}" has no question that waits for an answer.`, {
      reason: 'NO_QUESTION',
      facts: { status: approval.status },
    });
  }
  const answered = { ...last, answer: text, answered_by: by, answered_at: at };
  const exchanges = [...approval.exchanges.slice(0, -1), answered];
  return {
    approval: { ...approval, exchanges },
    event: {
      type: 'approval.answered',
      data: { approval_id: approval.id, number: exchanges.length, answer: text, by },
    },
  };
}
