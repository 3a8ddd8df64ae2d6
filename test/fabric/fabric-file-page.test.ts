/** What docs/fabric.md says of planes is what they do. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { readFabricFile } from '../../src/fabric/fabric-file.ts';
import { createFleet } from '../../src/fabric/fleet.ts';
import { vendors } from '../../src/fabric/plane.ts';
import { presets } from '../../src/fabric/preset.ts';
import { routingTable } from '../../src/fabric/routing-table.ts';
import { silentLog } from '../support/log.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/fabric.md'), 'utf8');
const short = { gw: 'api_gateway', ip: 'ipaas', eb: 'event_bus', wh: 'data_warehouse', direct: 'direct' } as const;

describe('the page on planes', () => {
  it('shows a file that is taken, by the vendors too', async () => {
    const text = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const fleet = await createFleet({
      config: readFabricFile(text),
      clock: systemClock,
      log: silentLog,
      secret: () => 'secret',
    });
    const names = ['ipaas', 'api_gateway', 'event_bus', 'data_warehouse', 'custom_sap'];
    expect(fleet.of('acme').map(({ name }) => name)).toEqual(names);
    await fleet.close();
  });

  it.each([...presets])('orders the planes of %s as the routing table does', (preset) => {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${preset}\``)) ?? '';
    const cells = row.split('|').slice(2, -1);
    const shown = cells.map((cell) =>
      cell
        .replace('(analytics)', '')
        .trim()
        .split(/\s+/)
        .map((word) => short[word as keyof typeof short]),
    );
    expect(shown).toEqual(Object.values(routingTable[preset]));
  });

  it('names every vendor', () => {
    for (const vendor of vendors) expect(page).toContain(`\`${vendor}\``);
  });
});
