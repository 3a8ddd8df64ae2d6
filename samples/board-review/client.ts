/** Has the board review a quarter, on a container that runs beside it, and prints the review as it is made. */
import { randomUUID } from 'node:crypto';
import { follow, type RunEvent } from './follow.ts';
import request from './request.json' with { type: 'json' };

const invocations = `http://localhost:${process.env['PORT'] ?? 8088}/invocations`;
const [command = 'review', id = randomUUID()] = process.argv.slice(2);
const commands: Record<string, () => Promise<void>> = { review, start, follow: print, cancel };

try {
  await (commands[command] ?? explain)();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function review(): Promise<void> {
  await start();
  await print();
}

/** In the background: the review is the server's from here on, and goes on whoever listens. */
async function start(): Promise<void> {
  const { status } = await post(invocations, { ...request, background: true });
  console.log(`Review ${id} is ${status}.`);
}

async function print(): Promise<void> {
  const onLost = (seen: number) => console.log(`(connection lost after event ${seen}, trying again)`);
  for await (const event of follow(`${invocations}/${id}`, onLost)) {
    const text = describe(event);
    if (text !== undefined) console.log(text);
  }
}

async function cancel(): Promise<void> {
  const { status } = await post(`${invocations}/${id}/cancel`, { reason: 'the board has gone home' });
  console.log(`Review ${id} is ${status}.`);
}

async function explain(): Promise<void> {
  throw new Error(`"${command}" is none of: review, start [id], follow <id>, cancel <id>`);
}

function describe(event: RunEvent): string | undefined {
  switch (event.type) {
    case 'run.queued':
      return `${event.agent_ids.join(', ')}, ${event.workflow}${event.simulated ? ' (simulated model)' : ''}`;
    case 'turn.started':
      return `→ ${event.turn}`;
    case 'turn.completed':
      return `\n── ${event.turn} ──\n${event.output}`;
    case 'turn.failed':
      return `${event.agent_id} could not answer: ${event.error.message}`;
    case 'run.completed':
      return 'The review is completed.';
    case 'run.failed':
    case 'run.timed_out':
      return `The review ended without a result: ${event.error.message}`;
    case 'run.cancelled':
      return `The review was cancelled: ${event.reason}`;
    default:
      return undefined;
  }
}

async function post(url: string, body: object): Promise<{ status: string }> {
  // With an id of our own choosing, asking twice is asking once.
  const headers = { 'content-type': 'application/json', 'x-agent-invocation-id': id };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) }).catch(() => {
    throw new Error(`nobody answers at ${url}: start the container with npm start`);
  });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as { status: string };
}
