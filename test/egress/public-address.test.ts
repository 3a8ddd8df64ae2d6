import { describe, expect, it, test } from 'vitest';
import { addressBlocks, isPublicAddress, isWithin } from '../../src/egress/public-address.ts';

describe('a public address', () => {
  test.each([
    '8.8.8.8',
    '1.1.1.1',
    '100.63.255.255',
    '100.128.0.1',
    '172.15.0.1',
    '172.32.0.1',
    '192.167.1.1',
    '198.20.0.1',
    '223.255.255.254',
    '168.63.129.15',
    '2606:4700:4700::1111',
    '2a00:1450:4001:81b::200e',
    '2001:4860:4860::8888',
  ])('%s is one', (address) => expect(isPublicAddress(address)).toBe(true));

  test.each([
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '10.255.255.255',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.255',
    '169.254.169.254',
    '169.254.170.2',
    '168.63.129.16',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.250',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::ffff:7f00:1',
    '64:ff9b::8.8.8.8',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:10::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    '5f00::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    '2606:4700::1%eth0',
    'fec0::1',
    'ff02::1',
    'localhost',
    '127.1',
    '2130706433',
    '0x7f000001',
    '',
    '1.2.3.4/8',
  ])('%s is none', (address) => expect(isPublicAddress(address)).toBe(false));
});

describe('a list of address blocks', () => {
  it('holds what lies in one of them, whatever form the address has', () => {
    const blocks = addressBlocks(['127.0.0.0/8', 'fd00::/8', '10.1.2.3/32']);
    expect(['127.0.0.1', 'fd12::1', '10.1.2.3', '::ffff:127.0.0.1'].map((one) => isWithin(blocks, one))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['128.0.0.1', 'fc00::1', '10.1.2.4', '::1', 'localhost'].some((one) => isWithin(blocks, one))).toBe(false);
  });

  test.each(['127.0.0.1', 'localhost/8', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/-1', '/8', ''])(
    'is not made of "%s"',
    (block) => expect(() => addressBlocks([block])).toThrow(`got "${block}"`),
  );
});
