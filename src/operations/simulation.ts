/** Simulated work for people: whether this server simulates everything, and what would have left. */
import { z } from 'zod';
import type { Recorder, Recording } from '../egress/recorder.ts';
import { cursor, nextCursor, pageSize, time } from './field.ts';
import { type Operation, overseerOf, realize, specify } from './operation.ts';

/** What a server that simulates everything does so with. */
export interface SimulationState {
  /** What the scenario calls itself, else where it is from. */
  readonly scenario: string;
  readonly seed: string;
}

const recording = z
  .object({
    id: z.string(),
    kind: z.string().meta({ description: 'What would have left: callback, notice, http_fetch …' }),
    subject: z.string().meta({ description: 'Id of what it belongs to: a run, a session' }),
    method: z.string(),
    url: z.string(),
    headers: z.record(z.string(), z.string()),
    body: z.string().nullable(),
    at: time,
  })
  .meta({ id: 'SimulationRecording', description: 'What simulated work would have sent' });

const example: z.input<typeof recording> = {
  id: 'msg_2f1c9c0e-5a57-4b8e-9a55-3f2f6f8d9b10',
  kind: 'callback',
  subject: '0d9f3c52-6c5e-4a53-9b43-2f9a1c7e5d10',
  method: 'POST',
  url: 'https://receiver.example/results',
  headers: { 'content-type': 'application/json' },
  body: '{"status":"completed"}',
  at: '2026-02-01T10:00:00.000Z',
};

export const getSimulation = specify({
  name: 'simulation.get',
  summary: 'Whether this server simulates everything',
  input: z.object({}),
  output: z.object({
    active: z.boolean(),
    scenario: z.string().nullable(),
    seed: z.string().nullable(),
  }),
  rest: { method: 'GET', path: '/api/v1/simulation', status: 200, family: 'detail' },
  example: { output: { active: true, scenario: 'a-bad-monday', seed: 'monday' } },
});

export const listRecordings = specify({
  name: 'simulation.recordings',
  summary: 'What simulated work would have sent, newest first',
  input: z.object({
    kind: z.string().min(1).max(100).optional(),
    subject: z.string().min(1).max(256).optional().meta({ description: 'Only what belongs to this run or session' }),
    limit: pageSize,
    cursor,
  }),
  output: z.object({ items: z.array(recording), next_cursor: nextCursor }),
  rest: { method: 'GET', path: '/api/v1/simulation/recordings', status: 200, family: 'detail' },
  example: { output: { items: [example], next_cursor: null } },
});

export const simulationSpecs = [getSimulation, listRecordings];

export interface SimulationOperationParts {
  readonly recorder: Pick<Recorder, 'list'>;
  /** Undefined: only what asks for it is simulated here. */
  readonly simulation: SimulationState | undefined;
}

export function createSimulationOperations({ recorder, simulation }: SimulationOperationParts): readonly Operation[] {
  return [
    realize(getSimulation, async () => ({
      active: simulation !== undefined,
      scenario: simulation?.scenario ?? null,
      seed: simulation?.seed ?? null,
    })),
    realize(listRecordings, async (filter, { caller }) => {
      const { items, nextCursor: next } = await recorder.list(overseerOf({ caller }), filter);
      return { items: items.map(showRecording), next_cursor: next };
    }),
  ];
}

function showRecording({ headers, ...recorded }: Recording): z.input<typeof recording> {
  return { ...recorded, headers: { ...headers } };
}
