/**
 * The events of a run, each exactly once, whatever happens to the connection: when it is lost, another one asks for
 * what comes after the last event seen.
 */
import { setTimeout as delay } from 'node:timers/promises';

/** The events this sample prints. There are more, and there will be others: what it does not know it passes over. */
export type RunEvent = { seq: number } & (
  | { type: 'run.queued'; workflow: string; agent_ids: string[]; simulated: boolean }
  | { type: 'turn.started'; turn: string; agent_id: string; round: number }
  | { type: 'turn.completed'; turn: string; agent_id: string; round: number; output: string }
  | { type: 'turn.failed'; agent_id: string; error: { message: string } }
  | { type: 'run.completed' }
  | { type: 'run.failed' | 'run.timed_out'; error: { message: string } }
  | { type: 'run.cancelled'; reason: string }
);

const LAST: readonly string[] = ['run.completed', 'run.failed', 'run.timed_out', 'run.cancelled'];

/**
 * @param url of the invocation
 * @param onLost told the number of the last event seen, each time the connection is lost or cannot be made
 * @throws when the server is there and knows no such invocation
 */
export async function* follow(url: string, onLost: (seen: number) => void): AsyncGenerator<RunEvent> {
  for (let seen = 0; ; await delay(1000)) {
    const response = await connect(`${url}?after=${seen}`);
    if (response?.ok === false && response.status < 500) throw new Error(await response.text());
    for await (const event of readEvents(response)) {
      seen = event.seq;
      yield event;
      if (LAST.includes(event.type)) return;
    }
    onLost(seen);
  }
}

/** The response, or undefined when nobody answers. */
async function connect(url: string): Promise<Response | undefined> {
  try {
    return await fetch(url, { headers: { accept: 'text/event-stream' } });
  } catch {
    return undefined;
  }
}

/** Ends with the response, also when that is cut: the next connection tells what is missing. */
async function* readEvents(response: Response | undefined): AsyncGenerator<RunEvent> {
  let text = '';
  try {
    for await (const chunk of response?.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const blocks = (text + chunk).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (data !== undefined) yield JSON.parse(data) as RunEvent;
      }
    }
  } catch {
    // The connection was lost.
  }
}
