import { BlockList, isIP } from "node:net";
import type { FirewallRule } from "../../engine/model/intent.ts";
import { dnsLabel, type KubernetesObject } from "../kubernetes/object.ts";
import type { WorkloadFrame } from "./forge.ts";

/** A block of addresses: `10.0.0.0/8`. */
interface Block {
  readonly address: string;
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
}

const everyone: readonly string[] = ["0.0.0.0/0", "::/0"];

/** A CIDR, or a single address as a block of one; null when it is neither. */
function blockOf(cidr: string): Block | null {
  const [address = "", length] = cidr.split("/");
  const version = isIP(address);
  if (version === 0) return null;
  const longest = version === 4 ? 32 : 128;
  const prefix = length === undefined ? longest : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (!(prefix <= longest)) return null;
  return { address, prefix, family: version === 4 ? "ipv4" : "ipv6" };
}

const textOf = ({ address, prefix }: Block): string => `${address}/${prefix}`;

/** Whether every address of `inner` is in `outer`. */
function contains(outer: Block, inner: Block): boolean {
  if (outer.family !== inner.family || outer.prefix > inner.prefix) return false;
  const list = new BlockList();
  list.addSubnet(outer.address, outer.prefix, outer.family);
  return list.check(inner.address, inner.family);
}

/** Blocks that rules name; "any" is everyone, and what is no address is left out. */
function blocksOf(sources: readonly string[]): Block[] {
  return sources
    .flatMap((source) => (/^(any|\*|)$/i.test(source.trim()) ? everyone : [source.trim()]))
    .map(blockOf)
    .filter((block) => block !== null);
}

/** Peers of an ingress rule: the allowed blocks without the denied ones. Empty when nothing is left. */
function peers(allowed: readonly Block[], denied: readonly Block[]): Record<string, unknown>[] {
  return allowed
    .filter((block) => !denied.some((other) => contains(other, block)))
    .map((block) => {
      const except = denied.filter((other) => contains(block, other)).map(textOf);
      return {
        ipBlock: {
          cidr: textOf(block),
          ...(except.length === 0 ? {} : { except: [...new Set(except)].sort() }),
        },
      };
    });
}

/** Who may reach one port, by the rules that name it. */
function portPeers(rules: readonly FirewallRule[], isPrivate: boolean): Record<string, unknown>[] {
  const sources = (action: "allow" | "deny"): string[] =>
    rules.filter((rule) => rule.action === action).map(({ source }) => source);
  const allow = sources("allow");
  const open = allow.length > 0 || isPrivate ? allow : everyone;
  return peers(blocksOf(open), blocksOf(sources("deny")));
}

/**
 * Network policy from the intent's isolation and firewall rules, or nothing when it states neither.
 *
 * Kubernetes knows only what is allowed. The workload's own namespace always is. A port with `allow` rules is open to
 * their sources, any other port to everyone, or to nobody else when the workload is private; `deny` rules take their
 * sources out of that, whatever the order of the rules.
 */
export function forgeNetworkPolicy({ intent, namespace, labels }: WorkloadFrame): KubernetesObject[] {
  const { networkIsolation, firewallRules } = intent.constraints.security;
  const isPrivate = networkIsolation === "private";
  if (!isPrivate && firewallRules.length === 0) return [];
  const keys = [...intent.workload.ports, ...firewallRules].map(
    ({ port, protocol }) => `${protocol} ${port}`,
  );
  const open = [...new Set(keys)].sort().flatMap((key) => {
    const rules = firewallRules.filter(({ port, protocol }) => `${protocol} ${port}` === key);
    const from = portPeers(rules, isPrivate);
    const [protocol, port] = key.split(" ");
    return from.length === 0 ? [] : [{ from, ports: [{ port: Number(port), protocol }] }];
  });
  return [
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: dnsLabel(intent.workload.name), namespace, labels },
      spec: {
        podSelector: { matchLabels: { "flare.io/intent": labels["flare.io/intent"] ?? "" } },
        policyTypes: ["Ingress"],
        ingress: [{ from: [{ podSelector: {} }] }, ...open],
      },
    },
  ];
}
