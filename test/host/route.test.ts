import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodePath, matchRoute, splitTarget } from '../../src/host/route.ts';

describe('matchRoute', () => {
  test.each([
    ['POST', '/invocations', { kind: 'endpoint', endpoint: { name: 'invoke' } }],
    ['GET', '/invocations/a', { kind: 'endpoint', endpoint: { name: 'get', pathId: 'a' } }],
    ['HEAD', '/invocations/a', { kind: 'endpoint', endpoint: { name: 'get', pathId: 'a' } }],
    ['POST', '/invocations/a/cancel', { kind: 'endpoint', endpoint: { name: 'cancel', pathId: 'a' } }],
    ['GET', '/invocations/docs', { kind: 'endpoint', endpoint: { name: 'get', pathId: 'docs' } }],
    ['GET', '/invocations/docs/openapi.json', { kind: 'endpoint', endpoint: { name: 'openapi' } }],
    ['GET', '/invocations/docs/asyncapi.json', { kind: 'endpoint', endpoint: { name: 'asyncapi-json' } }],
    ['GET', '/invocations/docs/asyncapi.yaml', { kind: 'endpoint', endpoint: { name: 'asyncapi-yaml' } }],
    ['GET', '/readiness', { kind: 'endpoint', endpoint: { name: 'readiness' } }],
    ['GET', '/invocations', { kind: 'method-not-allowed', allow: 'POST' }],
    ['OPTIONS', '/invocations', { kind: 'method-not-allowed', allow: 'POST' }],
    ['DELETE', '/invocations/a', { kind: 'method-not-allowed', allow: 'GET, HEAD' }],
    ['GET', '/invocations/a/cancel', { kind: 'method-not-allowed', allow: 'POST' }],
    ['POST', '/invocations/docs/openapi.json', { kind: 'method-not-allowed', allow: 'GET, HEAD' }],
    ['POST', '/readiness', { kind: 'method-not-allowed', allow: 'GET, HEAD' }],
    ['POST', '/invocations/', { kind: 'redirect', path: '/invocations' }],
    ['GET', '/invocations/a/cancel/', { kind: 'redirect', path: '/invocations/a/cancel' }],
    ['GET', '/readiness/', { kind: 'redirect', path: '/readiness' }],
    ['GET', '/', { kind: 'unknown' }],
    ['POST', '//invocations', { kind: 'unknown' }],
    ['POST', '/invocations//cancel', { kind: 'unknown' }],
    ['GET', '/invocations/a/b', { kind: 'unknown' }],
    ['GET', '/invocations_ws', { kind: 'unknown' }],
    ['GET', '/liveness', { kind: 'unknown' }],
    ['GET', '/constructor', { kind: 'unknown' }],
  ])('%s %s', (method, path, expected) => {
    expect(matchRoute(method, path)).toEqual(expected);
  });

  test('takes any single non-empty segment as an id', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (id) => {
        fc.pre(!id.includes('/'));
        expect(matchRoute('GET', `/invocations/${id}`)).toEqual({
          kind: 'endpoint',
          endpoint: { name: 'get', pathId: id },
        });
      }),
    );
  });
});

describe('decodePath', () => {
  test.each([
    ['/plain', '/plain'],
    ['/a%2Fb', '/a/b'],
    ['/%E4%B8%96', '/世'],
    ['/%FF', '/\ufffd'],
    ['/100%', '/100%'],
    ['/%zz', '/%zz'],
    ['/a+b', '/a+b'],
    ['/%2541', '/%41'],
  ])('%s is %s', (path, decoded) => {
    expect(decodePath(path)).toBe(decoded);
  });

  test('undoes encodeURIComponent, and never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodePath(encodeURIComponent(text))).toBe(text);
      }),
    );
    fc.assert(fc.property(fc.string({ unit: 'binary-ascii' }), (text) => void decodePath(text)));
  });
});

describe('splitTarget', () => {
  test.each([
    ['/invocations?a=1?b', { path: '/invocations', query: 'a=1?b' }],
    ['/invocations', { path: '/invocations', query: '' }],
    ['http://host:8088/invocations?x=/y', { path: '/invocations', query: 'x=/y' }],
    ['HTTPS://host', { path: '/', query: '' }],
    ['http://host?q=1', { path: '/', query: 'q=1' }],
    ['*', { path: '*', query: '' }],
    ['', { path: '/', query: '' }],
  ])('%s', (target, expected) => {
    expect(splitTarget(target)).toEqual(expected);
  });
});
