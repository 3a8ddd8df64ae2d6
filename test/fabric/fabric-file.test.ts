import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import {
  bindingFor,
  FabricFileError,
  planesOfTenant,
  presetOfTenant,
  readFabricFile,
} from '../../src/fabric/fabric-file.ts';
import { createFleet } from '../../src/fabric/fleet.ts';
import { originGuard } from '../../src/fabric/origin-guard.ts';
import { silentLog } from '../support/log.ts';

const read = (file: unknown) => readFabricFile(JSON.stringify(file));
const kong = { vendor: 'kong', base_url: 'https://kong.example.com', auth: { type: 'none' } };

function faultsOf(work: () => unknown): readonly string[] {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof FabricFileError) return thrown.faults;
    throw thrown;
  }
  return [];
}

describe('the fabric file', () => {
  it('says which planes there are, with the bounds that hold when it names none', () => {
    const [plane] = read({ preset: 'gateway', planes: { api_gateway: kong } }).planes;
    expect(plane).toMatchObject({
      name: 'api_gateway',
      kind: 'api_gateway',
      vendor: 'kong',
      timeoutMs: 30_000,
      attempts: 3,
      maxConcurrent: 16,
      healthCheckMs: 60_000,
      breaker: { failures: 5, windowMs: 60_000, openMs: 30_000 },
      settings: { base_url: 'https://kong.example.com' },
    });
  });

  it('gives a tenant its own planes in place of those of all', () => {
    const config = read({
      preset: '3',
      planes: { api_gateway: kong, event_bus: { vendor: 'simulated' } },
      tenants: { acme: { preset: '4', planes: { api_gateway: { ...kong, title: "Acme's" } } } },
    });
    expect(planesOfTenant(config, 'acme').map(({ name, title }) => [name, title])).toEqual([
      ['api_gateway', "Acme's"],
      ['event_bus', undefined],
    ]);
    expect(planesOfTenant(config, 'constructor').map(({ title }) => title)).toEqual([undefined, undefined]);
    expect([presetOfTenant(config, 'acme'), presetOfTenant(config, 'other')]).toEqual([
      'preset_4_event_bus_first',
      'preset_3_api_gateway_first',
    ]);
  });

  it('binds pairs, the nearest pattern first, and keeps the built-in ones', () => {
    const bindings = {
      '*:*': { recipe: 'any' },
      '*:update': { recipe: 'any update' },
      'crm:*': { recipe: 'any crm' },
      'crm:update': { recipe: 'crm update' },
    };
    const [all] = read({ planes: { ipaas: { vendor: 'workato', bindings } } }).planes;
    const [none] = read({ planes: { ipaas: { vendor: 'workato' } } }).planes;
    if (all === undefined || none === undefined) throw new Error('a plane is missing');
    expect(bindingFor(all, 'crm', 'update')).toMatchObject({ kind: 'recipe', recipe: 'crm update' });
    expect(bindingFor(all, 'crm', 'sync')).toMatchObject({ recipe: 'any crm' });
    expect(bindingFor(all, 'erp', 'update')).toMatchObject({ recipe: 'any update' });
    expect(bindingFor(all, 'erp', 'sync')).toMatchObject({ recipe: 'any' });
    expect(bindingFor(none, 'crm', 'update')).toMatchObject({ recipe: 'recipe_crm_update_customer' });
    expect(bindingFor(none, 'crm', 'sync')).toBeUndefined();
  });

  it('names every fault with its place', () => {
    const file = {
      preset: 'preset_77',
      planes: {
        tube: { vendor: 'kong' },
        ipaas: { vendor: 'kafka', bindings: { 'crm:updat': { recipe: 'x' }, 'crm:read': { path: 1 } } },
      },
    };
    const faults = faultsOf(() => read(file));
    expect(faults).toEqual([
      'preset: "preset_77" is no preset',
      expect.stringContaining('planes.tube: no plane has that name'),
      expect.stringContaining('planes.ipaas.vendor: kafka does not stand behind ipaas'),
      'planes.ipaas.bindings.crm:updat: "updat" is no action, did you mean "update"?',
      expect.stringContaining('planes.ipaas.bindings.crm:read'),
      expect.stringContaining('planes.ipaas.bindings.crm:read'),
    ]);
    expect(faultsOf(() => readFabricFile('{'))).toEqual(['the fabric file is not JSON']);
    expect(faultsOf(() => read({ planes: { ipaas: { vendor: 'fax' } } }))[0]).toContain('planes.ipaas.vendor');
    expect(faultsOf(() => read({ planes: { ipaas: { vendor: 'kong', timeout_seconds: 0 } } }))[0]).toContain(
      'timeout_seconds',
    );
  });

  it('is refused when the settings of a vendor are wrong, and when a secret is written into it', async () => {
    const open = (plane: object) =>
      createFleet({
        config: read({ planes: { api_gateway: plane } }),
        clock: systemClock,
        log: silentLog,
        secret: () => 'x',
      });
    await expect(open({ ...kong, base_url: 'ftp://kong.example.com' })).rejects.toMatchObject({
      faults: [expect.stringContaining('planes.api_gateway.base_url: must be an http(s) address')],
    });
    const written = { ...kong, auth: { type: 'bearer', token: 'in the open' } };
    await expect(open(written)).rejects.toMatchObject({
      faults: [expect.stringContaining('planes.api_gateway.auth.token')],
    });
    await expect(open({ ...kong, colour: 'red' })).rejects.toMatchObject({
      faults: [expect.stringContaining('colour')],
    });
  });
});

describe('the guard of origins', () => {
  const guard = originGuard(
    ['https://a.example.com', 'https://*.trigger.tray.io', 'http://127.0.0.1:8080'],
    async ({ url }) => ({
      url,
      status: 200,
      headers: {},
      body: new Uint8Array(),
      truncated: false,
    }),
  );
  const ask = (url: string) => guard({ url, timeoutMs: 1, maxBytes: 1 }, new AbortController().signal);

  it.each(['https://a.example.com/x', 'https://0b1c.trigger.tray.io/', 'http://127.0.0.1:8080/y?z'])(
    'lets %s out',
    async (url) => {
      expect(await ask(url)).toMatchObject({ status: 200 });
    },
  );

  it.each([
    'http://a.example.com/',
    'https://a.example.com:444/',
    'https://a.example.com.evil.com/',
    'https://evil.com/https://a.example.com',
    'https://trigger.tray.io/',
    'https://a.b.trigger.tray.io/',
    'https://evil.com/.trigger.tray.io',
    'http://127.0.0.1/',
    'nonsense',
  ])('keeps %s in', async (url) => {
    await expect(ask(url)).rejects.toMatchObject({ reason: 'EGRESS_REFUSED' });
  });
});
