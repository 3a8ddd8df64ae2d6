import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type PlaneKind, planeKinds, type Vendor, vendors, vendorsOf } from '../../src/fabric/plane.ts';
import { availableVendors } from '../../src/fabric/vendor-roster.ts';
import { type ContractName, underContract } from './connector-contract.ts';

const entries = Object.entries(underContract) as [ContractName, { vendor: Vendor; plane: PlaneKind }][];

describe('the contract of connectors', () => {
  it('stands over every vendor behind every kind of plane', () => {
    expect(availableVendors.toSorted()).toEqual([...vendors].toSorted());
    const covered = new Set(entries.map(([, { vendor, plane }]) => `${plane} ${vendor}`));
    for (const plane of planeKinds) {
      for (const vendor of vendorsOf[plane]) {
        if (vendor !== 'simulated') expect(covered, `${plane} ${vendor}`).toContain(`${plane} ${vendor}`);
      }
    }
  });

  it('is kept by a test for each of them', async () => {
    const files = (await readdir(import.meta.dirname)).filter((file) => file.endsWith('.test.ts'));
    const texts = await Promise.all(
      files
        .filter((file) => file !== 'vendor-roster.test.ts')
        .map((file) => readFile(join(import.meta.dirname, file), 'utf8')),
    );
    const callers = texts.filter((text) => text.includes('connectorContract('));
    for (const [name] of entries)
      expect(
        callers.filter((text) => text.includes(`'${name}'`)),
        name,
      ).toHaveLength(1);
  });
});

/** Packages that a fleet loads, in a process of its own: what was loaded here before would hide what is loaded. */
async function packagesOf(planes: object): Promise<{ readonly made: string[]; readonly used: string[] }> {
  const program = join(import.meta.dirname, '../support/fleet-program.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(planes)]);
  return JSON.parse(stdout) as { made: string[]; used: string[] };
}

const closed = 'http://127.0.0.1:9';
const address = { base_url: closed, allow_addresses: ['127.0.0.0/8'] };
const $env = 'KEY';
const clients = ['kafkajs', '@redis/client', '@aws-sdk/client-eventbridge', 'google-auth-library'];
const kafka = { vendor: 'kafka', bootstrap_servers: ['127.0.0.1:9'], security_protocol: 'PLAINTEXT' };
const redis = { vendor: 'redis_streams', url: 'redis://127.0.0.1:9' };
const keys = { type: 'keys', access_key_id: { $env }, secret_access_key: { $env } };
const eventbridge = { vendor: 'eventbridge', region: 'eu-central-1', auth: keys, ...address };

describe('a client library', () => {
  it.each<[string, object, readonly string[]]>([
    ['nobody', {}, []],
    ['a gateway', { api_gateway: { vendor: 'kong', ...address, auth: { type: 'none' } } }, []],
    ['Kafka', { event_bus: kafka }, ['kafkajs']],
    ['Redis', { event_bus: redis }, ['@redis/client']],
    ['EventBridge', { event_bus: eventbridge }, ['@aws-sdk/client-eventbridge']],
  ])('is loaded when a plane that needs it is used, and not before: for %s', async (_who, planes, expected) => {
    const { made, used } = await packagesOf(planes);
    expect(clients.filter((name) => made.includes(name))).toEqual([]);
    expect(clients.filter((name) => used.includes(name))).toEqual(expected);
  });
});
