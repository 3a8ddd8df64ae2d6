import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createDeliveries, type Deliveries, type DeliveryPace, pauseAfter } from '../../src/egress/delivery.ts';
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts';
import { createOutbox, type Delivery, type NewMessage, type Outbox } from '../../src/egress/outbox.ts';
import { createRecorder, createRecordingFetch } from '../../src/egress/recorder.ts';
import { verifyBody, verifyWebhook } from '../../src/egress/signature.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
import { type Received, type Receiver, startReceiver } from '../support/receiver.ts';

const secret = 'the secret of the test';
const owner = { tenantId: 'default', userId: '' };
let database: Database;
let outbox: Outbox;
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  database = await openTestDatabase();
  outbox = createOutbox({ database, clock: systemClock });
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await database.db.deleteFrom('outbox').execute();
});

afterAll(() => database.close());

async function receiver(port?: number): Promise<Receiver> {
  const started = await startReceiver(port);
  cleanups.push(() => started.close());
  return started;
}

/** A process that delivers, here: quick, and to this machine. */
async function deliver(pace: Partial<DeliveryPace> = {}, allow: string[] = ['127.0.0.0/8']): Promise<Deliveries> {
  const deliveries = createDeliveries({
    database,
    fetch: createGuardedFetch({ clock: systemClock, allow }),
    record: createRecordingFetch(createRecorder({ database, clock: systemClock })),
    secret,
    clock: systemClock,
    log: silentLog,
    pace: { baseMs: 1, maxMs: 5, ...pace },
  });
  await deliveries.start();
  cleanups.push(() => deliveries.stop());
  return deliveries;
}

const send = (url: string, change: Partial<NewMessage> = {}): Promise<string> =>
  database.db.transaction().execute((trx) =>
    outbox.enqueue(trx, {
      ...owner,
      kind: 'callback',
      subject: 'run-1',
      url,
      body: '{"status":"completed"}',
      dedupeKey: crypto.randomUUID(),
      ...change,
    }),
  );

const settled = async (id: string, status: Delivery['status']): Promise<Delivery> => {
  await expect.poll(async () => (await outbox.find(id, owner))?.status, { timeout: 20_000, interval: 10 }).toBe(status);
  const found = await outbox.find(id, owner);
  return found as Delivery;
};

const ids = (received: readonly Received[]) => received.map(({ headers }) => headers['webhook-id']);

describe('a message in the outbox', () => {
  it('arrives as it was written, signed, with its id', async () => {
    const to = await receiver();
    await deliver();
    const id = await send(`${to.url}/done?x=1`, { body: '{"text":"Grüße ✓"}' });
    expect(await settled(id, 'delivered')).toMatchObject({
      attempts: 1,
      lastStatus: 204,
      lastError: null,
      nextAttemptAt: null,
    });
    const [received] = to.received;
    expect(received).toMatchObject({ path: '/done?x=1', body: '{"text":"Grüße ✓"}' });
    expect(received?.headers).toMatchObject({ 'content-type': 'application/json', 'webhook-id': id });
    const headers = received?.headers as Record<string, string>;
    expect(verifyBody(secret, received?.body ?? '', headers)).toBe(true);
    expect(verifyWebhook(secret, received?.body ?? '', headers, Date.now() / 1000)).toBe(true);
  });

  it('is written with the change it tells of, or not at all', async () => {
    const to = await receiver();
    await deliver();
    const failing = database.db.transaction().execute(async (trx) => {
      await outbox.enqueue(trx, {
        ...owner,
        kind: 'callback',
        subject: 'run-2',
        url: to.url,
        body: '{}',
        dedupeKey: 'never',
      });
      throw new Error('the change failed');
    });
    await expect(failing).rejects.toThrow('the change failed');
    await settled(await send(to.url), 'delivered');
    expect(to.received).toHaveLength(1);
  });

  it('is written once for a key', async () => {
    const url = 'https://receiver.example/';
    const first = await send(url, { dedupeKey: 'run-1:end', body: '1' });
    expect(await send(url, { dedupeKey: 'run-1:end', body: '2' })).toBe(first);
  });

  it('needs somewhere to go', async () => {
    await expect(send('nowhere')).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('a receiver that', () => {
  it('fails gets it again, with the same id, until it accepts', async () => {
    const to = await receiver();
    to.answer = (response) => response.writeHead(to.received.length < 4 ? 500 : 200).end('oh');
    await deliver();
    const id = await send(to.url);
    expect(await settled(id, 'delivered')).toMatchObject({ attempts: 4, lastStatus: 200, lastError: null });
    expect(ids(to.received)).toEqual([id, id, id, id]);
  });

  it('always fails is given up, visibly, and may be tried again by hand', async () => {
    const to = await receiver();
    to.answer = (response) => response.writeHead(503).end();
    await deliver({ maxAttempts: 3 });
    const id = await send(to.url);
    expect(await settled(id, 'dead')).toMatchObject({
      attempts: 3,
      lastStatus: 503,
      lastError: 'the receiver answered 503',
      nextAttemptAt: null,
    });
    to.answer = (response) => response.writeHead(200).end();
    expect(await outbox.retry(id, owner)).toMatchObject({ status: 'pending', attempts: 0, deadAt: null });
    expect(await settled(id, 'delivered')).toMatchObject({ attempts: 1 });
    await expect(outbox.retry(id, owner)).rejects.toMatchObject({ code: 'conflict', reason: 'DELIVERED' });
  });

  it('says that it is gone gets no more', async () => {
    const to = await receiver();
    to.answer = (response) => response.writeHead(410).end();
    await deliver();
    expect(await settled(await send(to.url), 'dead')).toMatchObject({ attempts: 1, lastStatus: 410 });
  });

  it('hangs is waited for so long and no longer, and keeps nothing from others', async () => {
    const [hanging, quick] = [await receiver(), await receiver()];
    hanging.answer = () => {};
    await deliver({ atOnce: 4, perOrigin: 2, timeoutMs: 20_000 });
    for (let n = 0; n < 6; n++) await send(hanging.url);
    await expect.poll(() => hanging.received.length).toBe(2);
    const others = [await send(quick.url), await send(quick.url), await send(quick.url)];
    for (const id of others) await settled(id, 'delivered');
    expect(hanging.received).toHaveLength(2);
  });

  it('never answers is an attempt that failed', async () => {
    const to = await receiver();
    to.answer = () => {};
    await deliver({ timeoutMs: 30, maxAttempts: 2 });
    const dead = await settled(await send(to.url), 'dead');
    expect(dead).toMatchObject({ attempts: 2, lastStatus: null });
    expect(dead.lastError).toContain('did not answer within');
  });

  it('is down gets it when it is up', async () => {
    const first = await startReceiver();
    const port = Number(new URL(first.url).port);
    await first.close();
    await deliver({ maxAttempts: 10_000 });
    const id = await send(first.url);
    await expect.poll(async () => (await outbox.find(id, owner))?.lastError).toContain('cannot be reached');
    const to = await receiver(port);
    await settled(id, 'delivered');
    expect(ids(to.received)).toEqual([id]);
  });

  it('redirects to a private address is not followed there', async () => {
    const [to, inside] = [await receiver(), await receiver()];
    to.answer = (response) => response.writeHead(307, { location: inside.url }).end();
    await deliver({ maxAttempts: 2 });
    const dead = await settled(await send(to.url), 'dead');
    expect(dead).toMatchObject({ attempts: 2, lastStatus: 307 });
    expect(dead.lastError).toContain('redirect');
    expect(inside.received).toEqual([]);
  });

  it('is at a private address is never called, unless that is allowed', async () => {
    const to = await receiver();
    await deliver({}, []);
    const dead = await settled(await send(to.url), 'dead');
    expect(dead).toMatchObject({ attempts: 1, lastStatus: null });
    expect(dead.lastError).toContain('public');
    expect(to.received).toEqual([]);
  });

  it('asks for patience is given it', async () => {
    const to = await receiver();
    to.answer = (response) => response.writeHead(429, { 'retry-after': '600' }).end();
    await deliver({ maxMs: 3_600_000 });
    const id = await send(to.url);
    await expect.poll(async () => (await outbox.find(id, owner))?.lastStatus).toBe(429);
    const found = await outbox.find(id, owner);
    const wait = Date.parse(found?.nextAttemptAt ?? '') - Date.parse(found?.lastAttemptAt ?? '');
    expect(wait).toBeGreaterThanOrEqual(600_000);
  });
});

describe('processes that deliver', () => {
  it('share the messages: each arrives once', async () => {
    const to = await receiver();
    await Promise.all([deliver(), deliver(), deliver()]);
    const sent = await Promise.all(Array.from({ length: 40 }, () => send(to.url)));
    for (const id of sent) await settled(id, 'delivered');
    expect(ids(to.received).toSorted()).toEqual(sent.toSorted());
  });

  it('find what was written while none was running', async () => {
    const to = await receiver();
    const id = await send(to.url);
    await deliver();
    await settled(id, 'delivered');
  });

  it('that are killed between the answer and the note of it leave it to another, which sends the same id', async () => {
    const to = await receiver();
    const program = join(import.meta.dirname, '../support/delivery-program.ts');
    const child = spawn(process.execPath, [program, database.url], { stdio: ['pipe', 'ignore', 'inherit'] });
    const gone = once(child, 'close');
    to.answer = (response) => {
      // It has everything and would accept; the sender never hears of it.
      child.kill('SIGKILL');
      void gone.then(() => response.destroy());
    };
    const id = await send(to.url);
    await gone;
    expect(await outbox.find(id, owner)).toMatchObject({ status: 'pending', attempts: 1 });
    to.answer = (response) => response.writeHead(200).end();
    await deliver();
    await settled(id, 'delivered');
    expect(ids(to.received)).toEqual([id, id]);
  });

  it('that stop give back what they had in hand', async () => {
    const to = await receiver();
    to.answer = () => {};
    const first = await deliver({ leaseMs: 3_600_000, timeoutMs: 3_500_000 });
    const id = await send(to.url);
    await expect.poll(() => to.received.length).toBe(1);
    await first.stop();
    to.answer = (response) => response.writeHead(200).end();
    await deliver();
    await settled(id, 'delivered');
    expect(ids(to.received)).toEqual([id, id]);
  });
});

describe('the list of deliveries', () => {
  it('shows each tenant and user their own, newest first, page by page', async () => {
    const url = 'https://receiver.example/';
    const ann = { tenantId: 'default', userId: 'ann' };
    const sent: string[] = [];
    for (let n = 0; n < 3; n++) sent.unshift(await send(url, ann));
    const foreign = await send(url, { tenantId: 'other', userId: 'ann' });
    const first = await outbox.list(ann, { limit: 2 });
    const second = await outbox.list(ann, { limit: 2, cursor: first.nextCursor ?? '' });
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(sent);
    expect(second.nextCursor).toBeNull();
    expect((await outbox.list(owner, { limit: 9, status: 'pending' })).items).toHaveLength(3);
    expect((await outbox.list(owner, { limit: 9, status: 'dead' })).items).toEqual([]);
    expect(await outbox.find(foreign, ann)).toBeUndefined();
    expect(await outbox.find(sent[0] ?? '', { tenantId: 'default', userId: 'bob' })).toBeUndefined();
    await expect(outbox.retry(foreign, ann)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('forgetting', () => {
  it('takes what is over for long, and nothing that is still to be sent', async () => {
    const url = 'https://receiver.example/';
    const [delivered, dead, recent, pending] = [await send(url), await send(url), await send(url), await send(url)];
    const at = (id: string, change: { delivered_at?: Date; dead_at?: Date }) =>
      database.db.updateTable('outbox').set(change).where('id', '=', id).execute();
    await at(delivered, { delivered_at: new Date('2025-12-31T00:00:00Z') });
    await at(dead, { dead_at: new Date('2025-12-31T00:00:00Z') });
    await at(recent, { delivered_at: new Date('2026-01-02T00:00:00Z') });
    expect(await outbox.prune('2026-01-01T00:00:00.000Z')).toBe(2);
    expect((await outbox.list(owner, { limit: 9 })).items.map(({ id }) => id)).toEqual([pending, recent]);
  });
});

describe('the pause between attempts', () => {
  it.each([
    [1, 0.999, 4_995],
    [2, 0.999, 9_990],
    [5, 0.5, 40_000],
    [12, 0.999, 3_596_400],
    [3, 0, 0],
  ])('after attempt %i, for a draw of %d, is %i ms', (attempt, draw, pause) => {
    expect(pauseAfter(attempt, { baseMs: 5_000, maxMs: 3_600_000 }, draw)).toBe(pause);
  });
});
