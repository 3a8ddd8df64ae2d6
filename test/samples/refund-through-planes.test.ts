/** The sample of the refund, with what its page only tells: kills on the way, drills, and exports altered in many ways. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { readReadme } from './readme.ts';
import { type Job, openTerminal, type Terminal } from './terminal.ts';

const { start } = readReadme(join(import.meta.dirname, '../../samples/refund-through-planes/README.md'));

async function call(terminal: Terminal, path: string, body?: JsonObject, method = 'POST'): Promise<JsonObject> {
  const response = await fetch(
    `${terminal.url}${path}`,
    body === undefined ? {} : { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
  );
  return (await response.json()) as JsonObject;
}

test('a refund outlives kills while it waits for people and for planes, and is made once', {
  timeout: 120_000,
}, async () => {
  await using terminal = await openTerminal();
  let server: Job = await terminal.startServer(start);
  const killed = async () => {
    server.signal('SIGKILL');
    await server.ended;
    server = await terminal.startServer(start);
  };
  const look = (path: string, holds: (found: JsonObject) => void) =>
    vi.waitFor(async () => holds(await call(terminal, path)), { timeout: 20_000, interval: 100 });
  const refund = (id: string, message: string) =>
    fetch(`${terminal.url}/invocations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-agent-invocation-id': id },
      body: JSON.stringify({ message, agent_id: 'support', background: true }),
    });

  // Nobody is asked for what no agent may do.
  await refund('huge', 'Refund 20000 EUR to cust_1042');
  await look('/invocations/huge', (run) => {
    expect(run).toMatchObject({ status: 'completed' });
    expect(JSON.stringify(run['result'])).toContain('Refunds above 10,000 are not made by agents');
  });

  const budget = { scope: 'step', subject: 'fabric:finance:*', dimension: 'tool_calls', window: 'day', limit: 1 };
  await call(terminal, '/api/v1/governance/budgets/refunds', budget, 'PUT');
  await refund('big', 'Refund 250 EUR to cust_1042 for order 7781');
  await look('/invocations/big', (run) => expect(run).toMatchObject({ waiting_for: 'approval' }));
  const { items } = await call(terminal, '/api/v1/approvals?run_id=big');
  const approval = `/api/v1/approvals/${String((items as JsonObject[])[0]?.['id'])}`;
  await call(terminal, `${approval}/approve`, { by: 'ann' });
  expect(await call(terminal, `${approval}/approve`, { by: 'ann' })).toMatchObject({ status: 'pending' });
  expect(await call(terminal, approval)).toMatchObject({ plane: { outlook: 'goes', plane_id: 'ipaas_default' } });
  for (const plane of ['ipaas', 'api_gateway']) {
    await call(terminal, `/api/v1/fabric/planes/${plane}/drill`, { minutes: 10 });
  }
  await killed();
  // What an agent wants waits for a plane, and those who are to allow it know.
  expect(await call(terminal, approval)).toMatchObject({
    plane: {
      outlook: 'waits',
      plane_id: null,
      planes: [{ drill: { plane_id: 'ipaas_default' } }, { available: false }],
    },
  });
  expect(await call(terminal, `${approval}/approve`, { by: 'bob' })).toMatchObject({ status: 'approved' });
  await look('/api/v1/aoa/runs/big', (run) => {
    expect(run).toMatchObject({ status: 'waiting', waiting_for: 'plane' });
    expect(JSON.stringify(run['waits'])).toContain('ipaas_default, gateway_default are down');
  });
  await killed();
  // Drills outlive the server too.
  const { items: planes } = await call(terminal, '/api/v1/fabric/planes');
  expect((planes as JsonObject[]).filter(({ drill }) => drill !== null)).toHaveLength(2);
  await call(terminal, '/api/v1/fabric/planes/api_gateway/drill', {}, 'DELETE');
  await look('/invocations/big', (run) => {
    expect(run).toMatchObject({ status: 'completed' });
    expect(JSON.stringify(run['result'])).toContain('The refund is completed: gateway_default took it');
  });
  const { items: actions } = await call(terminal, '/api/v1/fabric/actions');
  const made = (actions as JsonObject[]).filter(({ status }) => status === 'completed');
  expect(made).toMatchObject([
    { run_id: 'big', agent_id: 'support', routed_plane_id: 'gateway_default', payload: { data: { amount: 250 } } },
  ]);

  expect(await call(terminal, '/api/v1/governance/budgets/refunds')).toMatchObject({ committed: 1, reserved: 0 });

  // The budget is used up: the next one waits for it, over a kill too.
  await refund('small', 'Refund 80 EUR to cust_7');
  await look('/invocations/small', (run) => expect(run).toMatchObject({ waiting_for: 'budget' }));
  await killed();
  await call(terminal, '/api/v1/governance/budgets/refunds/top-up', { amount: 1, reason: 'a good customer' });
  await look('/invocations/small', (run) => expect(run).toMatchObject({ status: 'completed' }));
  expect(await call(terminal, '/api/v1/governance/budgets/refunds')).toMatchObject({ committed: 2, reserved: 0 });

  // The log of it all verifies with the server gone, and shows where it was touched.
  await terminal.run(
    `curl -s http://localhost:8088/api/v1/aoa/audit/export -H 'accept: application/x-ndjson' > ~/audit.ndjson`,
  );
  const { verifier_key: key } = await call(terminal, '/api/v1/aoa/audit/checkpoint');
  server.signal('SIGKILL');
  await server.ended;
  const home = (await terminal.run('echo ~')).trim();
  const verify = (file: string) => terminal.run(`npx aos audit verify ~/${file} --key '${String(key)}'`);
  expect(await verify('audit.ndjson')).toContain('audit.ndjson: good');
  const lines = readFileSync(join(home, 'audit.ndjson'), 'utf8').trim().split('\n');
  const actionsTold = lines.map((line) => (JSON.parse(line) as JsonObject)['action']);
  for (const action of [
    'POLICY_DECISION',
    'APPROVAL_APPROVE',
    'ROUTE_WAITING',
    'ROUTE_ACTION',
    'PLANE_HEALTH',
    'BUDGET_TOP_UP',
  ]) {
    expect(actionsTold, action).toContain(action);
  }
  // Records only: a checkpoint that stands a line later says the same.
  const [first = -1, second = -1] = lines
    .flatMap((line, at) => (line.includes('"event":"RACI_AUDIT"') ? [at] : []))
    .slice(3);
  const [one = '', other = ''] = [lines[first], lines[second]];
  const altered: Readonly<Record<string, readonly string[]>> = {
    edited: lines.map((line) => line.replace('gateway_default', 'ipaas_default')),
    deleted: lines.toSpliced(first, 1),
    swapped: lines.with(first, other).with(second, one),
  };
  for (const [what, forged] of Object.entries(altered)) {
    writeFileSync(join(home, `${what}.ndjson`), `${forged.join('\n')}\n`);
    expect(await verify(`${what}.ndjson`), what).toContain('NOT what was written');
  }
});
