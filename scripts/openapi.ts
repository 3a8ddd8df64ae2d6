/**
 * Writes `openapi.json`, the OpenAPI document of the container, from the schemas in the sources: `npm run openapi`.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeOpenApi } from '../src/invocations/openapi.ts';

await writeFile(join(import.meta.dirname, '..', 'openapi.json'), `${JSON.stringify(describeOpenApi(), null, 2)}\n`);
