/** A client of the invocations door, as short as tests want it. */
import type { JsonObject } from '../../src/core/json.ts';
import type { InvocationView } from '../../src/invocations/view.ts';

export const BOARD_REVIEW = {
  agent_ids: ['ceo', 'cfo', 'cmo'],
  workflow: 'collaborative',
  task: { type: 'strategic_review', data: { quarter: 'Q1-2026', revenue: 4_200_000, costs: 3_900_000 } },
};

/** An event as the door shows it, with the id and type of its frame. */
export type SeenEvent = JsonObject & { readonly seq: number; readonly type: string };

export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers });
}

export async function invocation(response: Response | Promise<Response>): Promise<InvocationView> {
  return (await (await response).json()) as InvocationView;
}

/** Server-sent events of a response as they come. Throws when a frame says one thing outside and another inside. */
export async function* eventsOf(response: Response): AsyncGenerator<SeenEvent> {
  let pending = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const frames = (pending + chunk).split('\n\n');
    pending = frames.pop() ?? '';
    for (const frame of frames) yield parseFrame(frame);
  }
}

export async function allEvents(response: Response | Promise<Response>): Promise<SeenEvent[]> {
  return Array.fromAsync(eventsOf(await response));
}

function parseFrame(frame: string): SeenEvent {
  const [id = '', type = '', data = '', ...rest] = frame.split('\n');
  const event = JSON.parse(data.replace('data: ', '')) as SeenEvent;
  if (rest.length > 0 || id !== `id: ${event.seq}` || type !== `event: ${event.type}`) {
    throw new Error(`a frame contradicts its data: ${frame}`);
  }
  return event;
}
