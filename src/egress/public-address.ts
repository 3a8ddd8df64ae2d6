/**
 * Which IP addresses belong to the public internet. Everything that the registries of special-purpose addresses
 * (RFC 6890 and its followers) set aside is not public: an address inside our own network, of the machine, or of the
 * cloud's platform must never be reached because somebody else named it.
 */
import { BlockList, isIP } from 'node:net';

/** Address blocks in CIDR form, as a list that can be asked. @throws Error for a text that is no block */
export function addressBlocks(blocks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const block of blocks) {
    const [network = '', bits = ''] = block.split('/');
    const family = isIP(network);
    const longest = family === 4 ? 32 : 128;
    if (family === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > longest) {
      throw new Error(`expected an address block such as 10.0.0.0/8 or fd00::/8, got "${block}"`);
    }
    list.addSubnet(network, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

/** Whether the address, as a resolver gives it, lies in one of the blocks. An IPv4 address inside IPv6 counts as itself. */
export function isWithin(blocks: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && !address.includes('%') && blocks.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** Whether an address in its usual form is a public one. False for anything that is no address. */
export function isPublicAddress(address: string): boolean {
  // A zone names an interface of this machine.
  if (address.includes('%')) return false;
  switch (isIP(address)) {
    case 4:
      return !notPublic4.check(address, 'ipv4');
    case 6:
      return global6.check(address, 'ipv6') && !notPublic6.check(address, 'ipv6');
    default:
      return false;
  }
}

const notPublic4 = addressBlocks([
  '0.0.0.0/8', //          this network
  '10.0.0.0/8', //         private
  '100.64.0.0/10', //      carriers' NAT, and the metadata service of some clouds
  '127.0.0.0/8', //        loopback
  '168.63.129.16/32', //   Azure's platform; looks public and is reachable from inside only
  '169.254.0.0/16', //     link-local, with the metadata services
  '172.16.0.0/12', //      private
  '192.0.0.0/24', //       protocol assignments
  '192.0.2.0/24', //       documentation
  '192.88.99.0/24', //     6to4 relays
  '192.168.0.0/16', //     private
  '198.18.0.0/15', //      benchmarks
  '198.51.100.0/24', //    documentation
  '203.0.113.0/24', //     documentation
  '224.0.0.0/4', //        multicast
  '240.0.0.0/4', //        reserved, broadcast
]);

/** The only block of IPv6 from which public addresses are given out; mapped, translated and local forms lie outside. */
const global6 = addressBlocks(['2000::/3']);

const notPublic6 = addressBlocks([
  '2001::/23', //          protocol assignments, Teredo among them
  '2001:db8::/32', //      documentation
  '2002::/16', //          6to4: carries an IPv4 address
  '3fff::/20', //          documentation
]);
