import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { get as getEncrypted } from 'node:https';
import { type AddressInfo, connect, Socket } from 'node:net';
import { connect as connectEncrypted } from 'node:tls';
import { createClient } from '@redis/client';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createEgressGuard, type EgressGuard } from '../../src/egress/egress-guard.ts';
import { withEgressPermit } from '../../src/egress/egress-permit.ts';
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts';
import { recordingLog } from '../support/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

let server: Server;
let port = 0;
let connections = 0;
beforeAll(async () => {
  server = createServer((_request, response) => response.end('hi'));
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const started: EgressGuard[] = [];
afterEach(() => {
  for (const guard of started.splice(0)) guard.stop();
});
beforeEach(() => {
  connections = 0;
});

type Given = Partial<Parameters<typeof createEgressGuard>[0]>;

function startGuard(given: Given = {}) {
  const log = recordingLog();
  const guard = createEgressGuard({ mode: 'guard', clock: systemClock, log, ...given });
  guard.start();
  started.push(guard);
  return { guard, lines: log.lines };
}

/** The codes of a failure and of all that stand behind it. */
function codesOf(thrown: unknown): unknown[] {
  if (!(thrown instanceof Error)) return [];
  const own = 'code' in thrown ? [thrown.code] : [];
  const inner = thrown instanceof AggregateError ? thrown.errors.flatMap(codesOf) : [];
  const original = 'originalError' in thrown ? codesOf(thrown.originalError) : [];
  return [...own, thrown.message, ...inner, ...original, ...codesOf(thrown.cause)];
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => 'no failure',
    (thrown: unknown) => codesOf(thrown).join(),
  );
const errorOf = async (emitter: { once(name: 'error', heard: (error: Error) => void): unknown }) =>
  codesOf(await new Promise((resolve) => emitter.once('error', resolve))).join();

/** Of `net.connect`; the types of requests do not know that it is passed on. */
const selecting = (family: boolean): object => ({ autoSelectFamily: family });

async function bodyOf(message: IncomingMessage): Promise<string> {
  return (await message.toArray()).join('');
}

/** Every way there is to the outside, each told what became of it. */
const ways: Readonly<Record<string, () => Promise<string>>> = {
  'the global fetch': () => failureOf(fetch(`http://127.0.0.1:${port}/`)),
  'the global fetch, encrypted': () => failureOf(fetch(`https://127.0.0.1:${port}/`)),
  'node:http': () => errorOf(get(`http://127.0.0.1:${port}/`)),
  'node:https': () => errorOf(getEncrypted(`https://127.0.0.1:${port}/`)),
  'node:http2': () => errorOf(connectHttp2(`http://127.0.0.1:${port}/`)),
  'node:net': () => errorOf(connect(port, '127.0.0.1')),
  'node:net by name': () => errorOf(connect({ host: 'localhost', port })),
  'a socket of its own': () => errorOf(new Socket().connect(port, '127.0.0.1')),
  'node:tls': () => errorOf(connectEncrypted({ host: '127.0.0.1', port })),
  'a Unix socket': () => errorOf(connect('/var/run/docker.sock')),
  async WebSocket() {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    await new Promise((resolve) => socket.addEventListener('error', resolve));
    return socket.readyState === WebSocket.OPEN ? 'open' : 'EGRESS_REFUSED';
  },
  'the PostgreSQL driver': () =>
    failureOf(new pg.Client({ host: '127.0.0.1', port, user: 'a', database: 'a' }).connect()),
  async 'the Kafka client'() {
    const kafka = new Kafka({ brokers: [`127.0.0.1:${port}`], logLevel: logLevel.NOTHING, retry: { retries: 0 } });
    const admin = kafka.admin();
    try {
      return await failureOf(admin.connect());
    } finally {
      await admin.disconnect();
    }
  },
  async 'the Redis client'() {
    const client = createClient({ url: `redis://127.0.0.1:${port}`, socket: { reconnectStrategy: false } });
    client.on('error', () => undefined);
    return failureOf(client.connect());
  },
  async 'node:dgram'() {
    const socket = createSocket('udp4');
    const failure = await new Promise((resolve) => socket.send('x', port, '127.0.0.1', resolve));
    socket.close();
    return codesOf(failure).join();
  },
};

describe('a guard that refuses', () => {
  test.each(Object.entries(ways))('lets nothing out through %s', async (_name, go) => {
    startGuard();
    expect(await go()).toMatch(/EGRESS_REFUSED|does not connect to/);
    expect(connections).toBe(0);
  });

  test('says where it would have gone and what an operator can do', async () => {
    startGuard();
    const failure = await fetch('https://api.example.com/v1').catch((thrown: unknown) => thrown);
    expect(codesOf(failure)).toEqual(
      expect.arrayContaining([
        'EGRESS_REFUSED',
        expect.stringMatching(/^this server does not connect to api\.example\.com:443: .*AOS_EGRESS_ALLOW$/),
      ]),
    );
  });

  test('tells the log and whoever listens once a minute for each destination, and counts all of it', async () => {
    const clock = new ManualClock();
    const refused: string[] = [];
    const { guard, lines } = startGuard({ clock, onRefused: (destination) => refused.push(destination) });
    const both = async () => {
      for (const place of [`127.0.0.1:${port}`, 'example.com:81']) await failureOf(fetch(`http://${place}/`));
    };
    await both();
    await both();
    expect(refused).toEqual([`127.0.0.1:${port}`, 'example.com:81']);
    expect(lines.map(({ fields }) => fields?.['destination'])).toEqual(refused);
    await clock.advance(60_000);
    await both();
    expect(refused).toHaveLength(4);
    expect(guard.counts()).toEqual({ allowed: 0, refused: 6, observed: 0 });
  });

  test('lets out what is allowed by its name, however this machine is called', async () => {
    const { guard } = startGuard();
    guard.allow({ part: 'model', host: 'localhost', port });
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('hi');
    expect(await (await fetch(`http://localhost:${port}/`)).text()).toBe('hi');
    expect(await failureOf(fetch(`http://127.0.0.1:${port + 1}/`))).toContain('EGRESS_REFUSED');
    expect(guard.counts()).toMatchObject({ allowed: 2, refused: 1 });
  });

  test('lets a guarded request out to the address it has checked, and nothing beside it', async () => {
    startGuard();
    const guarded = createGuardedFetch({ clock: systemClock, allow: ['127.0.0.0/8'] });
    const asked = { url: `http://127.0.0.1:${port}/`, timeoutMs: 5000, maxBytes: 100 };
    const response = await guarded({ ...asked, onSending: () => undefined }, new AbortController().signal);
    expect(response.status).toBe(200);
    expect(await ways['node:net']?.()).toContain('EGRESS_REFUSED');
  });

  test('when it is strict, a checked address is not enough', async () => {
    startGuard({ strict: true });
    const guarded = createGuardedFetch({ clock: systemClock, allow: ['127.0.0.0/8'] });
    const asked = { url: `http://127.0.0.1:${port}/`, timeoutMs: 5000, maxBytes: 100 };
    const failure = await guarded(asked, new AbortController().signal).catch((thrown: unknown) => thrown);
    expect(codesOf(failure)).toContain('EGRESS_REFUSED');
    expect(connections).toBe(0);
  });

  test.each([
    { leads: 'to this machine, where an operator may have it', address: '127.0.0.1', outcome: 'hi' },
    { leads: 'to the link of this machine', address: '169.254.169.254', outcome: 'EGRESS_REFUSED' },
  ])('an allowed name that leads $leads', async ({ address, outcome }) => {
    const { guard } = startGuard();
    guard.allow({ part: 'model', host: 'model.example.com', port });
    const ask = async (family: boolean) => {
      const request = get({
        host: 'model.example.com',
        port,
        agent: false,
        ...selecting(family),
        lookup: (_name, { all }, done) => (all ? done(null, [{ address, family: 4 }]) : done(null, address, 4)),
      });
      return Promise.race([errorOf(request), once(request, 'response').then(([message]) => bodyOf(message))]);
    };
    expect(await ask(true)).toContain(outcome);
    expect(await ask(false)).toContain(outcome);
  });

  test('a permit for one address is none for another address of the same name', async () => {
    startGuard();
    const lead = (address: string) =>
      withEgressPermit({ part: 'request', host: 'hook.example.com', port, addresses: ['127.0.0.1'] }, () =>
        get({
          host: 'hook.example.com',
          port,
          agent: false,
          ...selecting(false),
          lookup: (_name, _options, done) => done(null, address, 4),
        }),
      );
    expect(await errorOf(lead('127.0.0.2'))).toContain('EGRESS_REFUSED');
    const [message] = await once(lead('127.0.0.1'), 'response');
    expect(await bodyOf(message)).toBe('hi');
  });
});

describe('a guard that observes', () => {
  test('lets everything go, and says once where to', async () => {
    const { guard, lines } = startGuard({ mode: 'observe' });
    for (let time = 0; time < 2; time++) expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
    expect(lines).toMatchObject([{ level: 'info', fields: { destination: `127.0.0.1:${port}` } }]);
    expect(guard.counts().observed).toBeGreaterThan(0);
  });
});

test('a guard that is off looks at nothing', async () => {
  const { connect: before } = Socket.prototype;
  const { guard } = startGuard({ mode: 'off' });
  expect(Socket.prototype.connect).toBe(before);
  expect(guard.counts()).toEqual({ allowed: 0, refused: 0, observed: 0 });
});

test('with several guards a connection takes one that allows it; with the last one gone, Node is as it was', async () => {
  const { connect: before } = Socket.prototype;
  const one = startGuard();
  const other = startGuard();
  other.guard.allow({ part: 'self', host: '127.0.0.1', port });
  await opens();
  other.guard.stop();
  expect(await ways['node:net']?.()).toContain('EGRESS_REFUSED');
  one.guard.stop();
  expect(Socket.prototype.connect).toBe(before);
  await opens();
});

async function opens(): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
}
