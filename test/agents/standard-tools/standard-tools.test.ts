import { describe, expect, it, test } from 'vitest';
import type { NewDocument, SessionDocuments } from '../../../src/agents/session-documents.ts';
import { createStandardTools } from '../../../src/agents/standard-tools/standard-tools.ts';
import { createToolSet, describeTool } from '../../../src/agents/tool.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { checkSchema } from '../../../src/core/schema-check.ts';
import type { GuardedRequest, GuardedResponse } from '../../../src/egress/guarded-fetch.ts';

const added: [object, NewDocument][] = [];
const documents: SessionDocuments = {
  async add(session, document) {
    added.push([session, document]);
    return { id: 'doc_1', title: document.title, characters: document.content.length, createdAt: '' };
  },
  list: async () => [],
  search: async (session, query, limit) => [
    { id: 'doc_1', title: JSON.stringify(session), passage: `${query} ${limit}`, score: 1.23456 },
  ],
};

let requests: GuardedRequest[] = [];
const recorded: GuardedRequest[] = [];
let response: Partial<GuardedResponse> & { text?: string } = {};
const tools = createToolSet(
  createStandardTools({
    documents,
    async record(request) {
      recorded.push(request);
      return { url: request.url, status: 200, headers: {}, body: new Uint8Array(), truncated: false };
    },
    async fetch(request) {
      requests.push(request);
      const { text = '', ...others } = response;
      const body = new TextEncoder().encode(text);
      return { url: request.url, status: 200, headers: {}, body, truncated: false, ...others };
    },
  }),
);

const context = {
  caller: { tenantId: 't', userId: 'u' },
  sessionId: 's',
  idempotencyKey: 'run-1/step',
  signal: new AbortController().signal,
  clock: { now: () => Date.parse('2026-02-01T10:00:00Z') },
} as never;

async function use(name: string, args: JsonObject) {
  const tool = tools.find(name);
  if (tool === undefined) throw new Error(`there is no ${name}`);
  const input = checkSchema(tool.input, args, 'it');
  return {
    result: await tool.run(input, context),
    asks: tool.requiresApproval?.(input),
    effect: tool.effectOf?.(input),
  };
}

describe('the standard tools', () => {
  it('are described to models as objects', () => {
    for (const tool of tools.all) {
      const { parameters, description } = describeTool(tool);
      expect(parameters, tool.name).toMatchObject({ type: 'object' });
      expect(parameters['$schema']).toBeUndefined();
      expect(description.length).toBeGreaterThan(20);
    }
    expect(Object.keys(tools.versions)).toEqual([
      'calculator',
      'date_time',
      'search_documents',
      'record_decision',
      'http_fetch',
    ]);
  });

  it('search the documents of the session and no other', async () => {
    const { result } = await use('search_documents', { query: 'burn' });
    expect(result).toEqual({
      passages: [
        { document: 'doc_1', title: '{"tenantId":"t","userId":"u","sessionId":"s"}', passage: 'burn 4', score: 1.235 },
      ],
    });
  });

  it('record a decision under the key of the call, once it is approved', async () => {
    const { result, asks } = await use('record_decision', { decision: 'We stay in Berlin.', reason: 'The rent.' });
    expect(asks).toBe(true);
    expect(result).toEqual({ recorded: 'We stay in Berlin.', document: 'doc_1' });
    expect(added).toEqual([
      [
        { tenantId: 't', userId: 'u', sessionId: 's' },
        { key: 'run-1/step', title: 'Decision of 2026-02-01', content: 'We stay in Berlin.\n\nReason: The rent.' },
      ],
    ]);
  });
});

describe('http_fetch', () => {
  const url = 'https://example.org/a';

  test.each([
    ['text', { 'content-type': 'text/plain' }, 'hello', { text: 'hello' }],
    ['HTML', { 'content-type': 'text/html; charset=utf-8' }, '<p>ä</p>', { text: '<p>ä</p>' }],
    ['JSON', { 'content-type': 'application/json' }, '{"a":1}', { json: { a: 1 } }],
    ['JSON of a kind', { 'content-type': 'application/problem+json' }, '[1]', { json: [1] }],
    ['what only says it is JSON', { 'content-type': 'application/json' }, '{', { text: '{' }],
    ['nothing', {}, '', { text: '' }],
  ])('gives back %s', async (_name, headers, text, expected) => {
    response = { headers: headers as Record<string, string>, text };
    requests = [];
    const { result, asks, effect } = await use('http_fetch', { url });
    expect(result).toMatchObject({ url, status: 200, ...expected });
    expect([asks, effect]).toEqual([false, 'read']);
    expect(requests[0]).toMatchObject({ url, method: 'GET', maxRedirects: 5, timeoutMs: 20_000, maxBytes: 500_000 });
  });

  it('refuses what is no text', async () => {
    response = { headers: { 'content-type': 'image/png' }, text: 'PNG' };
    await expect(use('http_fetch', { url })).rejects.toMatchObject({
      code: 'unsupported',
      message: 'https://example.org/a answered with image/png; only text is read',
    });
  });

  it('says that a long text is cut off', async () => {
    response = { headers: { 'content-type': 'application/json' }, text: '{"a":', truncated: true };
    expect((await use('http_fetch', { url })).result).toMatchObject({ text: '{"a":', truncated: true });
  });

  it('sends something only with an approval, once, and follows nothing', async () => {
    response = { headers: { 'content-type': 'text/plain' }, text: 'ok' };
    requests = [];
    const { asks, effect } = await use('http_fetch', { url, method: 'POST', body: '{}' });
    expect([asks, effect]).toEqual([true, 'external']);
    expect(requests[0]).toMatchObject({
      method: 'POST',
      body: '{}',
      maxRedirects: 0,
      headers: { 'content-type': 'application/json', 'idempotency-key': 'run-1/step' },
    });
  });

  it('gives the headers of a HEAD', async () => {
    response = { headers: { 'content-type': 'text/plain', 'content-length': '7' }, text: '' };
    expect((await use('http_fetch', { url, method: 'HEAD' })).result).toMatchObject({
      headers: { 'content-length': '7' },
    });
  });

  it('knows that a GET has no body', async () => {
    await expect(use('http_fetch', { url, body: 'x' })).rejects.toMatchObject({ code: 'invalid_request' });
  });
});
