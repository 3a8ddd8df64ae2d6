import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { AosError } from '../../src/core/errors.ts';
import { createGuardedFetch, type GuardedRequest } from '../../src/egress/guarded-fetch.ts';

interface Seen {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

const seen: Seen[] = [];
let answer: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => response.end('hi');
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  seen.push({ method: request.method, path: request.url, headers: request.headers, body });
  answer(request, response);
});
let port = 0;
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  seen.length = 0;
  answer = (_request, response) => response.end('hi');
});

const never = new AbortController().signal;
const open = createGuardedFetch({ clock: systemClock, allow: ['127.0.0.0/8'] });
const ask = (change: Partial<GuardedRequest> & { url: string }): GuardedRequest => ({
  timeoutMs: 5000,
  maxBytes: 1000,
  ...change,
});
const text = (body: Uint8Array) => new TextDecoder().decode(body);
const sends =
  (location: string, status = 302) =>
  (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/end') response.end('the end');
    else response.writeHead(status, { location }).end();
  };

async function refusalOf(work: Promise<unknown>): Promise<AosError> {
  const thrown = await work.catch((failure: unknown) => failure);
  expect(thrown).toBeInstanceOf(AosError);
  return thrown as AosError;
}

describe('what is not on the public internet', () => {
  const closed = createGuardedFetch({ clock: systemClock });

  test.each([
    'http://127.0.0.1:PORT/',
    'http://127.1:PORT/',
    'http://2130706433:PORT/',
    'http://0x7f000001:PORT/',
    'http://0177.0.0.1:PORT/',
    'http://0x7f.1:PORT/',
    'http://127.0.0.1.:PORT/',
    'http://localhost:PORT/',
    'http://LOCALHOST:PORT/',
    'http://[::1]:PORT/',
    'http://[::ffff:7f00:1]:PORT/',
    'http://[::ffff:127.0.0.1]:PORT/',
    'http://[::]:PORT/',
    'http://0.0.0.0:PORT/',
    'http://0:PORT/',
    'http://①②⑦.⓪.⓪.①:PORT/',
    'http://127。0。0。1:PORT/',
    'https://10.0.0.1/',
    'https://169.254.169.254/latest/meta-data/',
    'http://169.254.169.254/metadata/identity/oauth2/token',
    'https://168.63.129.16/',
    'https://100.100.100.200/',
    'https://[fd00:ec2::254]/',
    'https://[fe80::1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[2002:7f00:1::]/',
    'https://192.168.0.1/',
  ])('is refused before anything is sent: %s', async (url) => {
    const refusal = await refusalOf(closed(ask({ url: url.replace('PORT', String(port)) }), never));
    expect(refusal).toMatchObject({ code: 'invalid_request', retry: 'never', reason: 'EGRESS_REFUSED' });
    expect(refusal.message).toContain('not on the public internet');
    expect(seen).toEqual([]);
  });

  test.each([
    ['file:///etc/passwd', 'begins with file:'],
    ['ftp://example.org/', 'begins with ftp:'],
    ['gopher://example.org/', 'begins with gopher:'],
    ['data:text/plain,hi', 'begins with data:'],
    ['/relative', 'expected an absolute URL'],
    ['https://', 'expected an absolute URL'],
    ['https://user:secret@example.org/', 'user or password'],
    ['http://8.8.8.8/', 'expected https'],
    ['https://8.8.8.8:22/', 'port 22'],
    ['https://8.8.8.8:8443/', 'expected 443'],
  ])('nor is what nobody should ask for requested: %s', async (url, why) => {
    const refusal = await refusalOf(closed(ask({ url }), never));
    expect(refusal).toMatchObject({ reason: 'EGRESS_REFUSED' });
    expect(refusal.message).toContain(why);
    expect(refusal.message).not.toContain('secret');
  });

  it('is refused when only one of the addresses of a name is such', async () => {
    const mixed = createGuardedFetch({
      clock: systemClock,
      resolve: async () => [
        { address: '8.8.8.8', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ],
    });
    expect(await refusalOf(mixed(ask({ url: 'https://mixed.example/' }), never))).toMatchObject({
      reason: 'EGRESS_REFUSED',
    });
  });
});

describe('a name', () => {
  it('is resolved once, and the connection goes to what was checked, whatever it resolves to by then', async () => {
    let asked = 0;
    const rebinding = createGuardedFetch({
      clock: systemClock,
      allow: ['127.0.0.1/32'],
      resolve: async () => [{ address: ++asked === 1 ? '127.0.0.1' : '10.0.0.1', family: 4 }],
    });
    const response = await rebinding(ask({ url: `http://rebind.example:${port}/x` }), never);
    expect(text(response.body)).toBe('hi');
    expect(asked).toBe(1);
    expect(seen[0]?.headers.host).toBe(`rebind.example:${port}`);
  });

  it('that does not resolve may do so later', async () => {
    const lost = createGuardedFetch({ clock: systemClock, resolve: () => Promise.reject(new Error('ENOTFOUND')) });
    expect(await refusalOf(lost(ask({ url: 'https://lost.example/' }), never))).toMatchObject({
      code: 'unreachable',
      retry: 'later',
      message: 'the name lost.example cannot be resolved: check the address',
    });
  });
});

describe('an answer', () => {
  it('comes with where it is from, status, headers and body', async () => {
    answer = (_request, response) => response.writeHead(404, { 'content-type': 'text/plain' }).end('nothing here');
    const response = await open(
      ask({
        url: `http://127.0.0.1:${port}/a?b=c`,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"x":"ä"}',
      }),
      never,
    );
    expect(response).toMatchObject({
      url: `http://127.0.0.1:${port}/a?b=c`,
      status: 404,
      headers: { 'content-type': 'text/plain' },
      truncated: false,
    });
    expect(text(response.body)).toBe('nothing here');
    expect(seen).toMatchObject([
      {
        method: 'POST',
        path: '/a?b=c',
        body: '{"x":"ä"}',
        headers: { 'content-length': '10', 'accept-encoding': 'identity' },
      },
    ]);
  });

  it('is cut off where it gets too long, and the connection closed', async () => {
    const closed = Promise.withResolvers<void>();
    answer = (_request, response) => {
      response.on('close', closed.resolve);
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(10_000)));
      };
      response.on('drain', more);
      more();
    };
    const response = await open(ask({ url: `http://127.0.0.1:${port}/endless` }), never);
    expect(response.truncated).toBe(true);
    expect(response.body).toHaveLength(1000);
    await closed.promise;
  });

  it('that is packed is not read', async () => {
    answer = (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x');
    expect(await refusalOf(open(ask({ url: `http://127.0.0.1:${port}/` }), never))).toMatchObject({
      code: 'unsupported',
    });
  });

  it('that does not come in time is given up', async () => {
    answer = () => {};
    expect(await refusalOf(open(ask({ url: `http://127.0.0.1:${port}/`, timeoutMs: 50 }), never))).toMatchObject({
      code: 'timed_out',
      message: `127.0.0.1:${port} did not answer within 0.05 s`,
    });
  });

  it('that breaks off is one that may come whole later', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half');
      setImmediate(() => response.destroy());
    };
    expect(await refusalOf(open(ask({ url: `http://127.0.0.1:${port}/` }), never))).toMatchObject({
      code: 'unreachable',
      retry: 'later',
    });
  });

  it('from nobody says so without the words of the system', async () => {
    const refusal = await refusalOf(open(ask({ url: 'http://127.0.0.1:1/' }), never));
    expect(refusal.message).toBe('127.0.0.1:1 cannot be reached or broke off (ECONNREFUSED)');
  });
});

describe('a redirect', () => {
  it('is given as it is when none are to be followed', async () => {
    answer = sends('/end');
    expect((await open(ask({ url: `http://127.0.0.1:${port}/` }), never)).status).toBe(302);
  });

  it('is followed as often as allowed', async () => {
    answer = sends('/end');
    const response = await open(ask({ url: `http://127.0.0.1:${port}/`, maxRedirects: 1 }), never);
    expect(response).toMatchObject({ status: 200, url: `http://127.0.0.1:${port}/end` });
    answer = sends('/again');
    expect((await open(ask({ url: `http://127.0.0.1:${port}/`, maxRedirects: 3 }), never)).status).toBe(302);
    expect(seen).toHaveLength(2 + 4);
  });

  test.each(['http://10.0.0.1/', 'http://169.254.169.254/latest/', 'http://[::1]:8080/', 'http://2886729729/'])(
    'to %s is refused',
    async (location) => {
      answer = sends(location);
      const work = open(ask({ url: `http://127.0.0.1:${port}/`, maxRedirects: 3 }), never);
      expect(await refusalOf(work)).toMatchObject({ reason: 'EGRESS_REFUSED' });
      expect(seen).toHaveLength(1);
    },
  );

  test.each(['file:///etc/passwd', 'javascript:alert(1)', 'https://'])(
    'to %s, which is nothing to request, is refused',
    async (location) => {
      answer = sends(location);
      const work = open(ask({ url: `http://127.0.0.1:${port}/`, maxRedirects: 3 }), never);
      expect(await refusalOf(work)).toMatchObject({ reason: 'EGRESS_REFUSED' });
    },
  );

  it('to another origin goes without what says who asks', async () => {
    answer = sends(`http://127.0.0.2:${port}/end`);
    // The server listens on 127.0.0.1 only, so the name stands for it.
    const named = createGuardedFetch({
      clock: systemClock,
      allow: ['127.0.0.0/8'],
      resolve: async () => [{ address: '127.0.0.1', family: 4 }],
    });
    answer = sends(`http://other.example:${port}/end`);
    const headers = { authorization: 'Bearer 1', cookie: 'a=b', 'x-api-key': 'k', Accept: 'text/plain' };
    const url = `http://one.example:${port}/`;
    await named(ask({ url, headers, maxRedirects: 1 }), never);
    expect(seen[0]?.headers).toMatchObject({ authorization: 'Bearer 1', cookie: 'a=b', 'x-api-key': 'k' });
    expect(seen[1]?.headers).toMatchObject({ host: `other.example:${port}`, accept: 'text/plain' });
    for (const name of ['authorization', 'cookie', 'x-api-key']) expect(seen[1]?.headers[name]).toBeUndefined();
  });

  test.each([
    [301, 'GET', ''],
    [302, 'GET', ''],
    [303, 'GET', ''],
    [307, 'POST', 'body'],
    [308, 'POST', 'body'],
  ])('of a POST by %s is a %s', async (status, method, body) => {
    answer = sends('/end', status);
    await open(ask({ url: `http://127.0.0.1:${port}/`, method: 'POST', body: 'body', maxRedirects: 1 }), never);
    expect(seen[1]).toMatchObject({ method, body });
  });
});

describe('an abort', () => {
  it('ends the request at once with its reason', async () => {
    const controller = new AbortController();
    const reason = new AosError('cancelled', 'enough');
    answer = () => controller.abort(reason);
    await expect(open(ask({ url: `http://127.0.0.1:${port}/` }), controller.signal)).rejects.toBe(reason);
  });

  it('does not wait for a slow resolver', async () => {
    const controller = new AbortController();
    const reason = new AosError('cancelled', 'enough');
    const slow = createGuardedFetch({
      clock: systemClock,
      resolve: () => {
        controller.abort(reason);
        return new Promise(() => {});
      },
    });
    await expect(slow(ask({ url: 'https://slow.example/' }), controller.signal)).rejects.toBe(reason);
  });
});
