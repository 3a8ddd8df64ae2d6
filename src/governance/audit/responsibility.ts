/** Who answers for what: the tenant's own matrix where it has a line for it, else that of the blueprint. */
import { accountableOf, type Matrix } from '../raci/matrix.ts';
import type { AuditAction, EntryWords, Responsibility } from './entry.ts';

/** What of an entry says who answers for it. */
export type Answerable = Pick<EntryWords, 'action'> & Partial<Pick<EntryWords, 'target_system' | 'action_type'>>;

/** As the matrix of the tenant has it. */
export function responsibilityIn(matrix: Matrix | undefined, entry: Answerable): Responsibility {
  const activity = matrix?.activityOf(governedName(entry));
  if (activity === undefined) return blueprintResponsibility(entry.action);
  const { responsible, consulted, informed } = activity;
  return {
    responsible: responsible.join(', '),
    accountable: accountableOf(activity),
    consulted: consulted.map(({ party }) => party),
    informed,
  };
}

/** The action as rules and matrix name it. */
function governedName({ action, target_system: target, action_type: type }: Answerable): string {
  switch (action.split('_')[0]) {
    case 'TASK':
      return 'task:submit';
    case 'JOB':
      return 'job:create';
    case 'ROUTE':
      return target && type ? `fabric:${target}:${type}` : 'fabric:*';
    case 'PRESET':
    case 'PLANE':
    case 'EGRESS':
      return 'fabric:*';
    case 'PII':
      return 'screening:detect';
    case 'A2A':
    case 'AGENT':
      return 'a2a:context_share';
    case 'TOOL':
      return 'tool:*';
    default:
      return 'run:submit';
  }
}

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
