/** Makes a fleet of the planes it is given, asks each how it is, and prints the packages that were loaded for either. */
import { registerHooks } from 'node:module';
import { emptyFabric, readFabricFile } from '../../src/fabric/fabric-file.ts';

const loaded = new Set<string>();
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const name = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(resolved.url)?.[1];
    if (name !== undefined) loaded.add(name);
    return resolved;
  },
});
const { createFleet } = await import('../../src/fabric/fleet.ts');
const { systemClock } = await import('../../src/core/clock.ts');
const { silentLog } = await import('./log.ts');
const planes: unknown = JSON.parse(process.argv[2] ?? '{}');
const config = Object.keys(Object(planes)).length === 0 ? emptyFabric : readFabricFile(JSON.stringify({ planes }));
const fleet = await createFleet({ config, clock: systemClock, log: silentLog, secret: () => 'secret' });
const made = [...loaded];
for (const { connector } of fleet.of('acme')) await connector.health(AbortSignal.timeout(5_000));
await fleet.close();
process.stdout.write(JSON.stringify({ made, used: [...loaded] }));
