import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { AgentServer } from '../../src/index.ts';
import { verifies } from './verifies.ts';
import { get } from './wire.ts';

test('an explicit port wins over PORT, even over a faulty one', verifies('env:port:argument-wins'), async () => {
  const port = await freePort();
  const options = { port, signals: false, logSink: { write: () => {} } };
  const server = new AgentServer({ ...options, environment: { PORT: '1' } });
  await server.listen();
  expect((await get(port, '/readiness')).status).toBe(200);
  await server.close();
  expect(() => new AgentServer({ ...options, environment: { PORT: 'eighty' } })).not.toThrow();
});

test('an explicit port that is none is refused as one of the environment is', verifies('env:port:bad-value'), () => {
  for (const port of [-1, 65_536, 80.5, Number.NaN]) {
    expect(() => new AgentServer({ port, signals: false, environment: {} })).toThrow(String(port));
  }
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
