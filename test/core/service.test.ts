import { expect, test } from 'vitest';
import { type Service, startServices } from '../../src/core/service.ts';

function recorder() {
  const log: string[] = [];
  const service = (name: string, faults: { start?: boolean; stop?: boolean } = {}): Service => ({
    name,
    async start() {
      log.push(`start ${name}`);
      if (faults.start) throw new Error(`${name} does not start`);
    },
    async stop() {
      log.push(`stop ${name}`);
      if (faults.stop) throw new Error(`${name} does not stop`);
    },
  });
  return { log, service };
}

test('services start in order and stop in reverse, once', async () => {
  const { log, service } = recorder();
  const stop = await startServices([service('a'), service('b')]);
  await stop();
  await stop();
  expect(log).toEqual(['start a', 'start b', 'stop b', 'stop a']);
});

test('a service that does not start takes those before it down again', async () => {
  const { log, service } = recorder();
  await expect(startServices([service('a'), service('b', { start: true }), service('c')])).rejects.toThrow(
    'b does not start',
  );
  expect(log).toEqual(['start a', 'start b', 'stop a']);
});

test('a service that does not stop does not keep the others from stopping', async () => {
  const { log, service } = recorder();
  const stop = await startServices([service('a'), service('b', { stop: true })]);
  await expect(stop()).rejects.toThrow('b does not stop');
  expect(log).toContain('stop a');
});
