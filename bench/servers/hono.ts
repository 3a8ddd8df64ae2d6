/** Baseline: hono on node-server 2, the layer our host stands on. */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { burnCpu, eventStream, reportPort } from './report.ts';

const app = new Hono();
app.get('/readiness', (c) => c.json({ status: 'healthy' }));
app.post('/invocations', async (c) => {
  const { name } = await c.req.json<{ name: string }>();
  return c.json({ greeting: `Hello, ${name}!` });
});
app.post('/burn', async (c) => {
  await c.req.json();
  return c.json({ burnt: burnCpu(10) >= 0 });
});
app.post(
  '/stream',
  () => new Response(eventStream(100), { headers: { 'content-type': 'text/event-stream; charset=utf-8' } }),
);

serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => reportPort(port));
