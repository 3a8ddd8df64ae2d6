import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import type { Model, ModelConfig, ModelPart, TokenCredential } from '../../src/agents/model.ts';
import { createModel } from '../../src/agents/model-choice.ts';
import { loadPrices } from '../../src/agents/price-file.ts';
import { createProviderModel } from '../../src/agents/provider-model.ts';
import { systemClock } from '../../src/core/clock.ts';
import { AosError } from '../../src/core/errors.ts';
import { testAgent } from '../support/agents.ts';
import { ManualClock } from '../support/manual-clock.ts';
import {
  beginStream,
  calling,
  type ModelServer,
  refusing,
  saying,
  startModelServer,
  writeChunk,
} from '../support/model-server.ts';

let server: ModelServer;
beforeEach(async () => {
  server = await startModelServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const request = {
  brief: { kind: 'chat', agent: testAgent('ceo'), messages: [{ role: 'user', content: 'Hi' }], today: '2026-02-01' },
  prompt: {
    instructions: 'You are the chief.',
    messages: [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Hello' },
      { role: 'user', content: 'And now?' },
    ],
  },
} as const;
const openai = (): ModelConfig => ({
  provider: 'openai',
  apiKey: 'sk-1',
  model: 'gpt-4o',
  baseUrl: `${server.url}/v1/`,
});
const never = new AbortController().signal;

async function ask(model: Model, signal: AbortSignal = never): Promise<ModelPart[]> {
  return Array.fromAsync(model.stream(request, signal));
}

async function failureOf(work: Promise<unknown>): Promise<AosError> {
  const thrown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(thrown).toBeInstanceOf(AosError);
  return thrown as AosError;
}

describe('a model behind HTTP', () => {
  it('streams the answer and says what it used, what it cost and who answered', async () => {
    const model = createModel(openai(), { clock: systemClock, prices: (await loadPrices(undefined)).models });
    expect(await ask(model)).toEqual([
      { type: 'text', text: 'Hello' },
      { type: 'text', text: ' world' },
      {
        type: 'end',
        usage: { tokens_input: 1000, tokens_output: 100, cost_usd: 0.0035 },
        finishReason: 'stop',
        model: 'gpt-4o-2024-08-06',
        id: 'chatcmpl-1',
      },
    ]);
    expect(model).toMatchObject({ name: 'gpt-4o', provider: 'openai', simulated: false });
    expect(model.server).toMatchObject({ address: '127.0.0.1', port: Number(new URL(server.url).port) });
  });

  it('sends instructions and conversation, and asks for a stream with usage', async () => {
    await ask(createModel(openai(), { clock: systemClock }));
    expect(server.calls[0]?.body).toMatchObject({
      model: 'gpt-4o',
      stream: true,
      stream_options: { include_usage: true },
      messages: [
        { role: 'system', content: 'You are the chief.' },
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello' },
        { role: 'user', content: 'And now?' },
      ],
    });
  });

  it('hands on each piece as it comes', async () => {
    const proceed = Promise.withResolvers<void>();
    server.answer = async (response) => {
      beginStream(response);
      writeChunk(response, { delta: { content: 'first' } });
      await proceed.promise;
      writeChunk(response, { delta: { content: ' second' }, finish_reason: 'stop' });
      response.end('data: [DONE]\n\n');
    };
    const stream = createModel(openai(), { clock: systemClock }).stream(request, never)[Symbol.asyncIterator]();
    expect(await stream.next()).toEqual({ done: false, value: { type: 'text', text: 'first' } });
    proceed.resolve();
    expect(await stream.next()).toEqual({ done: false, value: { type: 'text', text: ' second' } });
    // A server that reports no usage: the price is unknown, not nothing.
    expect((await stream.next()).value).toMatchObject({ usage: { tokens_input: 0, tokens_output: 0, cost_usd: null } });
  });

  it('makes exactly one call, also when that fails', async () => {
    server.answer = refusing(500);
    await failureOf(ask(createModel(openai(), { clock: systemClock })));
    expect(server.calls).toHaveLength(1);
  });
});

describe('tools of a model behind HTTP', () => {
  const tools = [
    { name: 'calculator', description: 'Computes.', parameters: { type: 'object', properties: { expression: {} } } },
  ];
  const providers: [string, () => ModelConfig][] = [
    ['openai', openai],
    [
      'openai-compatible',
      () => ({ provider: 'openai-compatible', baseUrl: `${server.url}/v1`, model: 'm', apiKey: 'k' }),
    ],
    ['azure', () => ({ provider: 'azure', endpoint: server.url, deployment: 'd', apiKey: 'k' })],
  ];

  test.each(providers)('are offered to %s, and its calls come whole and in order', async (_name, config) => {
    server.answer = calling(
      { id: 'c1', name: 'calculator', arguments: '{"expression":"17*23"}' },
      { id: 'c2', name: 'calculator', arguments: '{"expression":"1+1"}' },
    );
    const parts = await Array.fromAsync(
      createModel(config(), { clock: systemClock }).stream({ ...request, tools }, never),
    );
    expect(parts).toMatchObject([
      { type: 'tool-call', id: 'c1', name: 'calculator', arguments: '{"expression":"17*23"}' },
      { type: 'tool-call', id: 'c2', name: 'calculator', arguments: '{"expression":"1+1"}' },
      { type: 'end', finishReason: 'tool-calls', usage: { tokens_input: 1000, tokens_output: 100 } },
    ]);
    expect(server.calls[0]?.body['tools']).toMatchObject([
      {
        type: 'function',
        function: { name: 'calculator', description: 'Computes.', parameters: tools[0]?.parameters },
      },
    ]);
    expect(server.calls[0]?.body['tool_choice']).not.toBe('none');
  });

  test.each(providers)('give %s what it was told before, faults included', async (_name, config) => {
    const exchanges = [
      {
        text: 'Let me see.',
        calls: [
          { id: 'c1', name: 'calculator', arguments: '{"expression":"17*23"}', answer: { result: { value: 391 } } },
          { id: 'c2', name: 'calculator', arguments: '{"expr', answer: { error: { code: 'x', message: 'no JSON' } } },
          { id: 'c3', name: 'calculator', arguments: '', answer: { result: 'plain' } },
        ],
      },
    ];
    const asked = { ...request, tools, exchanges, toolsClosed: true };
    await Array.fromAsync(createModel(config(), { clock: systemClock }).stream(asked, never));
    const body = server.calls[0]?.body ?? {};
    expect(body['tool_choice']).toBe('none');
    expect((body['messages'] as unknown[]).slice(4)).toMatchObject([
      {
        role: 'assistant',
        content: 'Let me see.',
        tool_calls: [
          { id: 'c1', function: { name: 'calculator', arguments: '{"expression":"17*23"}' } },
          { id: 'c2', function: { name: 'calculator', arguments: '{}' } },
          { id: 'c3', function: { name: 'calculator', arguments: '{}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'c1', content: '{"value":391}' },
      { role: 'tool', tool_call_id: 'c2', content: expect.stringContaining('no JSON') },
      { role: 'tool', tool_call_id: 'c3', content: 'plain' },
    ]);
  });

  test.each(providers)('of %s may be called with what is no JSON, which comes as it is', async (_name, config) => {
    server.answer = calling({ id: 'c1', name: 'calculator', arguments: '{"expression": 17*23' });
    const parts = await Array.fromAsync(
      createModel(config(), { clock: systemClock }).stream({ ...request, tools }, never),
    );
    expect(parts[0]).toEqual({ type: 'tool-call', id: 'c1', name: 'calculator', arguments: '{"expression": 17*23' });
  });
});

describe('addresses and credentials', () => {
  const credential = (): TokenCredential & { scopes: unknown[] } => {
    const scopes: unknown[] = [];
    return {
      scopes,
      async getToken(scope) {
        scopes.push(scope);
        return { token: 'entra-token', expiresOnTimestamp: Date.now() + 3_600_000 };
      },
    };
  };

  test.each([
    ['openai', () => openai(), '/v1/chat/completions', { authorization: 'Bearer sk-1' }],
    [
      'openai-compatible with a key',
      () => ({ provider: 'openai-compatible', baseUrl: `${server.url}/api/v1`, model: 'm', apiKey: 'k' }),
      '/api/v1/chat/completions',
      { authorization: 'Bearer k' },
    ],
    [
      'openai-compatible without a key',
      () => ({ provider: 'openai-compatible', baseUrl: `${server.url}/v1`, model: 'm' }),
      '/v1/chat/completions',
      { authorization: undefined },
    ],
    [
      'azure with a key',
      () => ({ provider: 'azure', endpoint: server.url, deployment: 'd', apiKey: 'k' }),
      '/openai/v1/chat/completions',
      { 'api-key': 'k', authorization: undefined },
    ],
    [
      'azure with a dated API version',
      () => ({ provider: 'azure', endpoint: `${server.url}/`, deployment: 'd', apiKey: 'k', apiVersion: '2024-10-21' }),
      '/openai/deployments/d/chat/completions?api-version=2024-10-21',
      { 'api-key': 'k' },
    ],
    [
      'azure at an address copied from the portal',
      () => ({
        provider: 'azure',
        endpoint: `${server.url}/openai/deployments/d/chat/completions?api-version=2024-10-21`,
        deployment: 'd',
        apiKey: 'k',
      }),
      '/openai/v1/chat/completions',
      { 'api-key': 'k' },
    ],
  ] satisfies [string, () => ModelConfig, string, Record<string, string | undefined>][])(
    'of %s are right',
    async (_name, config, path, headers) => {
      await ask(createModel(config(), { clock: systemClock }));
      const [call] = server.calls;
      expect(call?.path).toBe(path);
      for (const [name, value] of Object.entries(headers)) expect(call?.headers[name], name).toBe(value);
    },
  );

  test.each([
    [
      'azure',
      () => ({ provider: 'azure', endpoint: server.url, deployment: 'd' }),
      '/openai/v1/chat/completions',
      'https://cognitiveservices.azure.com/.default',
    ],
    [
      'foundry',
      () => ({ provider: 'foundry', projectEndpoint: `${server.url}/api/projects/p`, model: 'd' }),
      '/api/projects/p/openai/v1/chat/completions',
      'https://ai.azure.com/.default',
    ],
  ] satisfies [string, () => ModelConfig, string, string][])(
    'of %s with Entra are a bearer token for its scope, fetched once',
    async (_name, config, path, scope) => {
      const identity = credential();
      const model = createModel(config(), { clock: systemClock, credential: identity });
      await ask(model);
      await ask(model);
      expect(server.calls.map((call) => call.path)).toEqual([path, path]);
      expect(server.calls[1]?.headers).toMatchObject({ authorization: 'Bearer entra-token' });
      expect(server.calls[1]?.headers['api-key']).toBeUndefined();
      expect(identity.scopes.flat()).toEqual([scope]);
    },
  );

  it('that cannot be had fail with what to check, not with what the sign-in said', async () => {
    const refusal = Object.assign(new Error('AADSTS700016: secret-tenant'), { statusCode: 400 });
    const model = createModel(
      { provider: 'azure', endpoint: server.url, deployment: 'd' },
      { clock: systemClock, credential: { getToken: () => Promise.reject(refusal) } },
    );
    const failure = await failureOf(ask(model));
    expect(failure).toMatchObject({ code: 'model_failed', retry: 'never' });
    expect(failure.message).toContain(
      'Azure OpenAI deployment "d" got no Entra token: check that this process has an identity',
    );
    expect(failure.message).not.toContain('AADSTS');
    expect(server.calls).toHaveLength(0);
  });

  it('that are slow to come do not keep an abort waiting', async () => {
    const controller = new AbortController();
    const asked = Promise.withResolvers<void>();
    const model = createModel(
      { provider: 'azure', endpoint: server.url, deployment: 'd' },
      {
        clock: systemClock,
        credential: {
          getToken: () => {
            asked.resolve();
            return new Promise(() => {});
          },
        },
      },
    );
    const answer = ask(model, controller.signal);
    await asked.promise;
    const reason = new AosError('cancelled', 'enough');
    controller.abort(reason);
    await expect(answer).rejects.toBe(reason);
  });
});

describe('what goes wrong', () => {
  test.each([
    [
      400,
      {},
      'never',
      'refused the request as invalid (HTTP 400): check OPENAI_BASE_URL and OPENAI_MODEL; the model must be a chat model',
    ],
    [401, {}, 'never', 'did not accept the credentials (HTTP 401): check OPENAI_API_KEY'],
    [
      403,
      {},
      'never',
      'denied access (HTTP 403): check the rights of OPENAI_API_KEY and the network rules of the resource',
    ],
    [404, {}, 'never', 'was not found (HTTP 404): check OPENAI_BASE_URL and OPENAI_MODEL'],
    [408, {}, 'later', 'failed (HTTP 408)'],
    [418, {}, 'never', 'refused the request (HTTP 418): check OPENAI_BASE_URL and OPENAI_MODEL'],
    [429, {}, 'later', 'is busy (HTTP 429, rate limit)'],
    [429, { code: 'insufficient_quota' }, 'never', 'has no quota left: check the plan and billing of OPENAI_API_KEY'],
    [
      400,
      { code: 'content_filter' },
      'never',
      "refused the request by the provider's content filter: change the task or the filter",
    ],
    [
      400,
      { code: 'context_length_exceeded' },
      'never',
      'cannot take a request this long: shorten the task or the context',
    ],
    [500, {}, 'later', 'failed (HTTP 500)'],
    [503, {}, 'later', 'failed (HTTP 503)'],
  ] as const)('HTTP %s %o: retry %s, and the sentence for it', async (status, error, retry, sentence) => {
    server.answer = refusing(status, error);
    const failure = await failureOf(ask(createModel(openai(), { clock: systemClock })));
    expect(failure).toMatchObject({
      code: 'model_failed',
      retry,
      message: `OpenAI model "gpt-4o" ${sentence}`,
    });
    expect(JSON.stringify(failure.cause)).not.toContain('You are the chief');
  });

  test.each([
    [{ 'retry-after': '7' }, 7000],
    [{ 'retry-after': '0.2' }, 200],
    [{ 'retry-after': '9', 'retry-after-ms': '1500' }, 1500],
    [{ 'retry-after': 'Fri, 20 Nov 2026 20:00:30 GMT', date: 'Fri, 20 Nov 2026 20:00:00 GMT' }, 30_000],
    [{ 'retry-after': 'soon' }, undefined],
    [{}, undefined],
  ])('a provider that is busy and says %o asks for a pause of %s ms', async (headers, pause) => {
    server.answer = refusing(429, {}, headers);
    const failure = await failureOf(ask(createModel(openai(), { clock: systemClock })));
    expect(failure).toMatchObject({ retry: 'later' });
    expect(failure.retryAfterMs).toBe(pause);
  });

  it('keeps the words of the provider for the log only', async () => {
    server.answer = refusing(401);
    const failure = await failureOf(ask(createModel(openai(), { clock: systemClock })));
    expect(failure.message).not.toContain('sk-secret');
    expect(String(failure.cause)).toContain('HTTP 401: raw words of the provider');
  });

  it('a server that is not there may be there later', async () => {
    const model = createModel(
      { provider: 'openai', apiKey: 'k', model: 'gpt-4o', baseUrl: 'http://127.0.0.1:1/v1' },
      { clock: systemClock },
    );
    expect(await failureOf(ask(model))).toMatchObject({
      retry: 'later',
      message: 'OpenAI model "gpt-4o" cannot be reached: check OPENAI_BASE_URL and OPENAI_MODEL and the network',
    });
  });

  const brokenOff = 'broke off in the middle of an answer';
  test.each([
    ['a connection that is lost', 'later', brokenOff, (response) => setImmediate(() => response.destroy())],
    ['a stream that ends without an end', 'later', brokenOff, (response) => response.end()],
    ['something that is no JSON', 'later', brokenOff, (response) => response.end('data: <html>\n\n')],
    [
      'an error inside the stream',
      'later',
      brokenOff,
      (response) =>
        response.end('data: {"error":{"message":"sk-secret boom","type":"server_error","param":null,"code":null}}\n\n'),
    ],
    [
      'the content filter',
      'never',
      "was stopped by the provider's content filter: change the task or the filter",
      (response) => {
        writeChunk(response, { delta: {}, finish_reason: 'content_filter' });
        response.end('data: [DONE]\n\n');
      },
    ],
  ] satisfies [string, string, string, (response: Parameters<typeof beginStream>[0]) => void][])(
    'in the middle of an answer, %s: retry %s',
    async (_name, retry, sentence, breakOff) => {
      server.answer = (response) => {
        beginStream(response);
        writeChunk(response, { delta: { content: 'half' } });
        breakOff(response);
      };
      for (const provider of ['openai', 'openai-compatible'] as const) {
        const baseUrl = `${server.url}/v1`;
        const model = createModel({ provider, baseUrl, model: 'm', apiKey: 'k' }, { clock: systemClock });
        const failure = await failureOf(ask(model));
        expect(failure).toMatchObject({ code: 'model_failed', retry });
        expect(failure.message, provider).toMatch(
          sentence === brokenOff ? /broke off in the middle|failed \(HTTP 500\)/ : sentence,
        );
        expect(failure.message).not.toContain('sk-secret');
      }
    },
  );

  test.each([
    ['stop', 'later', 'answered with no text'],
    [
      'length',
      'never',
      'used up its output limit before the first word of the answer: raise the limit of the deployment',
    ],
  ])('an answer without a word that ended by %s: retry %s', async (finishReason, retry, sentence) => {
    server.answer = (response) => {
      beginStream(response);
      writeChunk(response, { delta: { content: ' ' }, finish_reason: finishReason });
      response.end('data: [DONE]\n\n');
    };
    const failure = await failureOf(ask(createModel(openai(), { clock: systemClock })));
    expect(failure).toMatchObject({ retry, message: `OpenAI model "gpt-4o" ${sentence}` });
  });

  it('a provider that falls silent is given up, and its connection closed', async () => {
    const clock = new ManualClock();
    const spoken = Promise.withResolvers<void>();
    server.answer = (response) => {
      beginStream(response);
      writeChunk(response, { delta: { content: 'half' } });
    };
    const model = createProviderModel(
      { provider: 'openai', apiKey: 'k', model: 'gpt-4o', baseUrl: `${server.url}/v1` },
      { clock, stallMs: 8000 },
    );
    const reading = (async () => {
      for await (const _part of model.stream(request, never)) spoken.resolve();
    })();
    reading.catch(() => {});
    await spoken.promise;
    await clock.advance(11_000);
    expect(await failureOf(reading)).toMatchObject({
      retry: 'later',
      message: 'OpenAI model "gpt-4o" sent nothing for 8 seconds; the call was given up',
    });
    await server.calls[0]?.hungUp;
    expect(clock.armed).toBe(0);
  });
});

describe('an abort', () => {
  it('closes the connection in the middle of an answer and rejects with its reason', async () => {
    const controller = new AbortController();
    const reason = new AosError('cancelled', 'enough');
    server.answer = (response) => {
      beginStream(response);
      writeChunk(response, { delta: { content: 'half' } });
    };
    const reading = (async () => {
      const model = createModel(openai(), { clock: systemClock });
      for await (const _part of model.stream(request, controller.signal)) controller.abort(reason);
    })();
    await expect(reading).rejects.toBe(reason);
    await server.calls[0]?.hungUp;
  });

  it('closes the connection before the first byte of an answer', async () => {
    const controller = new AbortController();
    const called = Promise.withResolvers<void>();
    server.answer = () => called.resolve();
    const reading = ask(createModel(openai(), { clock: systemClock }), controller.signal);
    reading.catch(() => {});
    await called.promise;
    controller.abort(new AosError('timed_out', 'too late'));
    await expect(reading).rejects.toMatchObject({ code: 'timed_out' });
    await server.calls[0]?.hungUp;
  });

  it('that came before makes no call at all', async () => {
    const signal = AbortSignal.abort(new AosError('cancelled', 'enough'));
    await expect(ask(createModel(openai(), { clock: systemClock }), signal)).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(server.calls).toHaveLength(0);
  });

  it('is also what a reader does that stops reading', async () => {
    server.answer = (response) => {
      beginStream(response);
      writeChunk(response, { delta: { content: 'half' } });
    };
    for await (const _part of createModel(openai(), { clock: systemClock }).stream(request, never)) break;
    await server.calls[0]?.hungUp;
  });
});

it('says something again after a failure', async () => {
  const model = createModel(openai(), { clock: systemClock });
  server.answer = refusing(503);
  await failureOf(ask(model));
  server.answer = saying('back');
  expect((await ask(model))[0]).toEqual({ type: 'text', text: 'back' });
});
