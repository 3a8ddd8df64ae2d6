import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/core/json.ts';
import { matchRoute } from '../../src/host/route.ts';
import { describeAsyncApi } from '../../src/invocations/asyncapi.ts';
import { describeOpenApi } from '../../src/invocations/openapi.ts';

const document = describeOpenApi();

/** Every `$ref` of a document that leads nowhere in it. */
function danglingReferences(root: JsonObject): string[] {
  const dangling: string[] = [];
  const visit = (value: JsonValue): void => {
    if (Array.isArray(value)) value.forEach(visit);
    if (!isJsonObject(value)) return;
    const { $ref } = value;
    if (typeof $ref === 'string') {
      const target = $ref
        .slice(2)
        .split('/')
        .reduce<JsonValue | undefined>((found, key) => (isJsonObject(found) ? found[key] : undefined), root);
      if (!$ref.startsWith('#/') || target === undefined) dangling.push($ref);
    }
    Object.values(value).forEach(visit);
  };
  visit(root);
  return dangling;
}

describe('the OpenAPI document', () => {
  test('is what openapi.json says (npm run openapi writes it)', async () => {
    const committed = await readFile(join(import.meta.dirname, '../../openapi.json'), 'utf8');
    expect(committed).toBe(`${JSON.stringify(document, null, 2)}\n`);
  });

  test('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
  });

  test('refers to nothing that is not there', () => {
    expect(danglingReferences(document)).toEqual([]);
  });

  test('names only routes the host or the front page answers, by the methods they take', () => {
    const ours = ['/', '/openapi.json', '/metrics'];
    const isOurs = (path: string) => ours.includes(path) || path.startsWith('/api/');
    for (const [path, item] of Object.entries(document['paths'] as JsonObject)) {
      const methods = Object.keys(item as JsonObject).filter((key) => key !== 'parameters');
      for (const method of methods) {
        const { kind } = matchRoute(method.toUpperCase(), path.replace('{invocation_id}', 'x'));
        expect([path, method, kind]).toEqual([path, method, isOurs(path) ? 'unknown' : 'endpoint']);
      }
    }
  });

  test('carries no trace of how its schemas were made', () => {
    expect(JSON.stringify(document)).not.toMatch(/"\$schema"|"\$id"|"\$defs"|__schema/);
  });
});

test('the AsyncAPI document refers to nothing that is not there', () => {
  expect(danglingReferences(describeAsyncApi())).toEqual([]);
});
