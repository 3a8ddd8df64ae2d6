/** A governor that lets everything through without a look, so that what is measured is the rest. */
import type { Governor } from '../../src/governance/governor.ts';

export const silentGovernor: Governor = {
  async allow(_place, { args }) {
    return {
      kind: 'allow',
      rule: 'none',
      reason: '',
      accountable: null,
      responsible: [],
      obligations: [],
      args,
      event: undefined,
      approvedBy: [],
      edited: false,
    };
  },
};
