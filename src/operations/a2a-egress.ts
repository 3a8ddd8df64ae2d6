/**
 * What agents are brought, on its way out: by the policy that holds now, which may be stricter than the one it came in
 * by. Only strict policies change anything.
 */
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { SentLetter } from '../delegation/mail.ts';
import type { DataGuard } from '../governance/screening/data-guard.ts';

export interface LetterEgress {
  letter(letter: SentLetter): Promise<SentLetter>;
  /** Any data of a tenant. */
  data(tenantId: string, data: JsonObject): Promise<JsonObject>;
}

export function createLetterEgress(guard: Pick<DataGuard, 'egress'>): LetterEgress {
  async function data(tenantId: string, given: JsonObject): Promise<JsonObject> {
    const egress = await guard.egress(tenantId);
    if (!egress.isStrict) return given;
    const { data: left } = egress.data(given);
    return isJsonObject(left) ? left : {};
  }
  return {
    data,
    async letter(letter) {
      const { tenantId } = letter.caller;
      const [payload, metadata] = await Promise.all([data(tenantId, letter.payload), data(tenantId, letter.metadata)]);
      return { ...letter, payload, metadata };
    },
  };
}
