/**
 * Everything that happens in a tenant, as a stream or a list: the feed in the words the seed system's clients know.
 */
import { z } from 'zod';
import { type Clock, isoTime } from '../core/clock.ts';
import type { JsonObject } from '../core/json.ts';
import type { Feed, FeedItem } from '../runs/feed.ts';
import { freeForm, pageSize, time } from './field.ts';
import { type Operation, realize, type StreamItem, specify } from './operation.ts';

/** What the events of runs are called here; everything else keeps its name. */
const WORDS: Readonly<Record<string, string>> = {
  'run.started': 'workflow.started',
  'run.progress': 'workflow.progress',
  'run.completed': 'workflow.completed',
  'run.failed': 'workflow.failed',
  'run.timed_out': 'workflow.failed',
  'run.cancelled': 'workflow.cancelled',
  'turn.started': 'agent.started_task',
  'turn.completed': 'agent.completed_task',
  'turn.failed': 'agent.failed_task',
  'approval.approved': 'approval.granted',
};

const item = z
  .object({
    id: z.string().meta({ description: 'Where to go on after it; opaque' }),
    type: z.string(),
    event: z.string().meta({ description: 'What this server itself calls it' }),
    subject: z.string().meta({ description: 'The id of what it happened to' }),
    timestamp: time,
    data: freeForm,
  })
  .meta({ id: 'FeedEvent', description: 'Something that happened' });

const example = {
  id: '812.4',
  type: 'workflow.started',
  event: 'run.started',
  subject: 'e6121e78-c096-4390-875d-9a77c9bf2ee1',
  timestamp: '2026-02-01T10:00:00.000Z',
  data: {},
};

export const listFeed = specify({
  name: 'events.list',
  summary: 'What happens in the tenant, as it happens',
  description:
    'Server-sent events unless JSON is asked for (`Accept: application/json` or `?format=json`). The stream begins now, ' +
    'or after the event whose id is given; the list begins at the beginning.',
  input: z.object({
    after: z.string().max(100).optional().meta({ description: 'The id of the last event one has' }),
    limit: pageSize,
    format: z.enum(['json', 'sse']).optional().meta({ description: 'Instead of `Accept`' }),
  }),
  output: z.object({
    events: z.array(item),
    total: z.int(),
    timestamp: time,
    next_after: z.string().meta({ description: 'What to send as `after` to go on' }),
  }),
  rest: {
    method: 'GET',
    path: '/api/v1/aoa/events',
    status: 200,
    family: 'detail',
    stream: {
      description: 'One event per message; `data` has its `type`. A comment every 15 s of silence.',
      unasked: 'stream',
      resume: 'after',
      example: `id: 812.4\nevent: workflow.started\ndata: ${JSON.stringify(example)}\n\n`,
    },
  },
  example: { output: { events: [example], total: 1, timestamp: '2026-02-01T10:00:00.000Z', next_after: '812.4' } },
});

export const feedSpecs = [listFeed];

export function createFeedOperations({ feed, clock }: { feed: Feed; clock: Clock }): readonly Operation[] {
  return [
    realize(
      listFeed,
      async ({ after = '', limit }, { caller }) => {
        const items = await feed.read(caller, after, limit);
        const events = items.map(viewItem);
        return {
          events,
          total: events.length,
          timestamp: isoTime(clock.now()),
          next_after: items.at(-1)?.position ?? after,
        };
      },
      async ({ after }, { caller, signal }) => {
        // A position that is none is refused here, before the stream begins.
        if (after !== undefined) await feed.read(caller, after, 1);
        return streamed(feed.follow(caller, after ?? (await feed.newest()), signal));
      },
    ),
  ];
}

async function* streamed(items: AsyncIterable<FeedItem>): AsyncGenerator<StreamItem> {
  for await (const one of items) {
    const view = viewItem(one);
    yield { id: view.id, event: view.type, data: view as unknown as JsonObject };
  }
}

function viewItem({ position, type, subject, at, data }: FeedItem): z.infer<typeof item> {
  return { id: position, type: WORDS[type] ?? type, event: type, subject, timestamp: at, data };
}
