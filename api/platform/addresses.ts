import { BlockList, isIP } from "node:net";

/** Ranges no outgoing request may reach, with the reason that is logged. Sources: IANA special-purpose registries. */
const ranges: readonly (readonly [network: string, prefix: number, reason: string])[] = [
  ["0.0.0.0", 8, "this network"],
  ["10.0.0.0", 8, "private"],
  ["100.64.0.0", 10, "carrier-grade NAT"],
  ["127.0.0.0", 8, "loopback"],
  ["169.254.0.0", 16, "link-local, cloud metadata"],
  ["172.16.0.0", 12, "private"],
  ["192.0.0.0", 24, "protocol assignments"],
  ["192.0.2.0", 24, "documentation"],
  ["192.88.99.0", 24, "6to4 relay"],
  ["192.168.0.0", 16, "private"],
  ["198.18.0.0", 15, "benchmarking"],
  ["198.51.100.0", 24, "documentation"],
  ["203.0.113.0", 24, "documentation"],
  ["224.0.0.0", 4, "multicast"],
  ["240.0.0.0", 4, "reserved, broadcast"],
  // Mapped and compatible forms carry an IPv4 address that some stacks connect to; so do the translation prefixes, whose
  // last 32 bits no IPv4 rule sees.
  ["::", 96, "unspecified, loopback, IPv4-compatible"],
  ["::ffff:0:0", 96, "IPv4-mapped"],
  ["64:ff9b::", 96, "NAT64"],
  ["64:ff9b:1::", 48, "local NAT64"],
  ["100::", 64, "discard"],
  ["2001::", 23, "protocol assignments, Teredo"],
  ["2001:db8::", 32, "documentation"],
  ["2002::", 16, "6to4"],
  ["3fff::", 20, "documentation"],
  ["5f00::", 16, "segment routing"],
  ["fc00::", 7, "private"],
  ["fe80::", 10, "link-local"],
  ["fec0::", 10, "site-local"],
  ["ff00::", 8, "multicast"],
];

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 4 ? "ipv4" : "ipv6");

// A list is asked about its own family only: to a `BlockList`, ::ffff:0:0/96 holds every plain IPv4 address.
const denied = ranges.map(([network, prefix, reason]) => {
  const list = new BlockList();
  const family = familyOf(network);
  list.addSubnet(network, prefix, family);
  return { list, family, reason };
});

/** Which addresses may be reached. */
export interface AddressPolicy {
  /** Why an address may not be reached, or null when it may. `address` is IPv4 or IPv6 text without brackets. */
  refuse(address: string): string | null;
}

/**
 * Refuses every address that is not plain public internet, and the given networks besides: the cluster's own pod and
 * service ranges, the host's addresses.
 *
 * @param own further networks to refuse, `10.96.0.0/12` form; these are refused even inside `except`
 * @param except networks to allow although they are in a refused range: receivers on the premises, tests
 * @throws {RangeError} when a network is not in CIDR form
 */
export function createAddressPolicy(
  own: readonly string[] = [],
  except: readonly string[] = [],
): AddressPolicy {
  const extra = blockListOf(own);
  const allowed = blockListOf(except);
  return {
    refuse(address) {
      if (isIP(address) === 0) return "not an IP address";
      const family = familyOf(address);
      if (extra.check(address, family)) return "a network of this installation";
      if (allowed.check(address, family)) return null;
      return (
        denied.find((range) => range.family === family && range.list.check(address, family))?.reason ?? null
      );
    },
  };
}

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix = ""] = network.split("/");
    if (isIP(address) === 0 || !/^\d{1,3}$/.test(prefix))
      throw new RangeError(`${network} is no network; accepted: ADDRESS/PREFIX such as 10.96.0.0/12`);
    list.addSubnet(address, Number(prefix), familyOf(address));
  }
  return list;
}
