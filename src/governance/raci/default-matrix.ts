/**
 * The matrix that holds when nobody gives another: the five activities of the blueprint (domain reference §6.2) with the
 * actions of this runtime, and two that the blueprint has no line for. Its parties are roles of everybody in the tenant
 * until somebody names people.
 */
import { type MatrixDocument, matrixSchema } from './matrix.ts';

const everybody = { people: ['*'] };

export const defaultMatrix: MatrixDocument = matrixSchema.parse({
  version: 1,
  parties: {
    'AOA Runtime': { capabilities: ['task.orchestrate', 'tool.use'] },
    'AOA Scheduler': { capabilities: ['job.schedule'] },
    ActionRouter: { capabilities: ['fabric.route'] },
    'A2A Protocol': { capabilities: ['context.share'] },
    AOA: { ...everybody, escalates_to: 'Platform' },
    Platform: { ...everybody, capabilities: ['platform.administer'] },
    Security: { ...everybody, capabilities: ['data.detect'], escalates_to: 'Platform' },
    Compliance: { ...everybody, escalates_to: 'Security' },
    Legal: everybody,
    Agents: {},
    Users: everybody,
    'Audit Log': { description: 'Everything is in the log of its run and in the audit: nobody has to be told' },
    Telemetry: { description: 'Spans and metrics: nobody has to be told' },
  },
  activities: [
    {
      name: 'Task orchestration',
      actions: ['task:*', 'run:*'],
      capability: 'task.orchestrate',
      responsible: ['AOA Runtime'],
      accountable: 'Platform',
      consulted: ['Agents'],
      informed: ['Audit Log'],
    },
    {
      name: 'Tool use',
      actions: ['tool:*'],
      capability: 'tool.use',
      responsible: ['AOA Runtime'],
      accountable: 'Platform',
      consulted: ['Agents'],
      informed: ['Audit Log'],
    },
    {
      name: 'Job scheduling',
      actions: ['job:*'],
      capability: 'job.schedule',
      responsible: ['AOA Scheduler'],
      accountable: 'Platform',
      consulted: ['Users'],
      informed: ['Telemetry'],
    },
    {
      name: 'Fabric routing',
      actions: ['fabric:*'],
      capability: 'fabric.route',
      responsible: ['ActionRouter'],
      accountable: 'Security',
      consulted: ['Compliance'],
      informed: ['Audit Log'],
    },
    {
      name: 'PII detection',
      actions: ['screening:*'],
      capability: 'data.detect',
      responsible: ['Security'],
      accountable: 'Compliance',
      consulted: ['Legal'],
      informed: ['Audit Log'],
    },
    {
      name: 'Context sharing',
      actions: ['a2a:*'],
      capability: 'context.share',
      responsible: ['A2A Protocol'],
      accountable: 'AOA',
      consulted: ['Agents'],
      informed: ['Telemetry'],
    },
    {
      name: 'Administration',
      actions: ['admin:*'],
      capability: 'platform.administer',
      responsible: ['Platform'],
      accountable: 'Platform',
      informed: ['Audit Log'],
    },
  ],
});
