/** Who answers for what, unless a tenant says otherwise: the matrix of the blueprint. */
import type { AuditAction, Responsibility } from './entry.ts';

const matrix = {
  orchestration: {
    responsible: 'AOA Runtime',
    accountable: 'Platform',
    consulted: ['Agents'],
    informed: ['Audit Log'],
  },
  scheduling: { responsible: 'AOA Scheduler', accountable: 'Platform', consulted: ['Users'], informed: ['Telemetry'] },
  routing: {
    responsible: 'ActionRouter',
    accountable: 'Security',
    consulted: ['Compliance'],
    informed: ['Audit Log'],
  },
  personalData: { responsible: 'Security', accountable: 'Compliance', consulted: ['Legal'], informed: ['Audit Log'] },
  sharing: { responsible: 'A2A Protocol', accountable: 'AOA', consulted: ['Agents'], informed: ['Telemetry'] },
} as const satisfies Record<string, Responsibility>;

export function blueprintResponsibility(action: AuditAction): Responsibility {
  switch (action.split('_')[0]) {
    case 'JOB':
      return matrix.scheduling;
    case 'ROUTE':
    case 'PRESET':
    case 'PLANE':
    case 'EGRESS':
      return matrix.routing;
    case 'PII':
      return matrix.personalData;
    case 'A2A':
    case 'AGENT':
      return matrix.sharing;
    default:
      return matrix.orchestration;
  }
}
