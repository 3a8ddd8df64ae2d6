/**
 * Checks that many conformance tests share, in the words of the protocol reference.
 */
import { expect } from 'vitest';
import type { Answer, Head } from './wire.ts';

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const HEX_32 = /^[0-9a-f]{32}$/;
export const SEGMENT = /^[^\s/()]+\/[^\s()]+ \([a-z]+\/\d+\.\d+\)$/;

export const INVOCATION_ID = 'x-agent-invocation-id';
export const SESSION_ID = 'x-agent-session-id';

/** Every HTTP response has both platform headers, once each (§7). */
export function expectPlatformHeaders(head: Head): void {
  expect(head.header('x-request-id'), 'x-request-id').toMatch(/^.{1,256}$/);
  const segments = (head.header('x-platform-server') ?? '').split(/(?<=\)) /);
  for (const segment of segments) expect(segment, 'x-platform-server').toMatch(SEGMENT);
  expect(new Set(segments).size, 'distinct segments').toBe(segments.length);
}

/** A router-level answer: plain text, both platform headers, nothing of the protocol's own (§6.6, §6.8, D7). */
export function expectPlain(answer: Answer, status: number, body: string): void {
  expect(answer.status).toBe(status);
  expect(answer.header('content-type')).toBe('text/plain; charset=utf-8');
  expect(answer.text).toBe(body);
  expectPlatformHeaders(answer);
  expect(answer.all('x-platform-error-source')).toEqual([]);
  expect(answer.all('x-platform-error-detail')).toEqual([]);
  expect(answer.all(INVOCATION_ID)).toEqual([]);
  expect(answer.all(SESSION_ID)).toEqual([]);
}

export interface ExpectedError {
  readonly status: number;
  readonly code: string;
  readonly message?: string;
  readonly source?: 'upstream' | 'platform';
}

/** A protocol error: exact bytes of the envelope, its type, its source (§9). */
export function expectError(answer: Answer, { status, code, message, source = 'upstream' }: ExpectedError): void {
  expect(answer.status).toBe(status);
  expect(answer.header('content-type')).toBe('application/json');
  const body = answer.json() as { error: { code: string; message: string } };
  expect(body.error.code).toBe(code);
  if (message !== undefined) expect(body.error.message).toBe(message);
  expect(body.error.message).not.toBe('');
  expect(answer.text).toBe(JSON.stringify({ error: { code, message: body.error.message } }));
  expect(answer.header('x-platform-error-source')).toBe(source);
  if (source === 'upstream') expect(answer.all('x-platform-error-detail')).toEqual([]);
  expectPlatformHeaders(answer);
}

/** The answer to a POST carries both id headers, once each. */
export function expectBothIds(head: Head): { invocationId: string; sessionId: string } {
  const invocationId = head.header(INVOCATION_ID) ?? '';
  const sessionId = head.header(SESSION_ID) ?? '';
  expect(invocationId, INVOCATION_ID).toMatch(/^[A-Za-z0-9\-_.:]{1,256}$/);
  expect(sessionId, SESSION_ID).toMatch(/^[A-Za-z0-9\-_.:]{1,256}$/);
  return { invocationId, sessionId };
}

/** The answer to a GET or cancel carries the invocation id and never a session id. */
export function expectOnlyInvocationId(head: Head, id: string | RegExp): void {
  expect(head.header(INVOCATION_ID)).toMatch(id instanceof RegExp ? id : new RegExp(`^${RegExp.escape(id)}$`));
  expect(head.all(SESSION_ID)).toEqual([]);
}
