import { expect, test } from "vitest";
import { forgeNetworkPolicy } from "../../../adapters/workload/network.ts";
import type { FirewallRule } from "../../../engine/model/intent.ts";
import { intent } from "../../engine/builders.ts";

const rule = (action: "allow" | "deny", port: number, source: string): FirewallRule => ({
  port,
  protocol: "TCP",
  source,
  action,
});
/** Ingress rules besides the own namespace's, as text: port and who may reach it. */
const open = (rules: readonly FirewallRule[], isPrivate = false): string[] => {
  const wanted = intent({
    workload: { ports: [{ port: 80, protocol: "TCP", expose: true }] },
    constraints: {
      security: { firewallRules: rules, ...(isPrivate ? { networkIsolation: "private" } : {}) },
    },
  });
  const [policy] = forgeNetworkPolicy({
    intent: wanted,
    namespace: "ns",
    labels: { "flare.io/intent": "job" },
  });
  if (policy === undefined) return ["no policy"];
  const { ingress } = policy.spec as {
    ingress: { from: { ipBlock: { cidr: string; except?: string[] } }[]; ports: { port: number }[] }[];
  };
  const [own, ...rest] = ingress;
  expect(own).toEqual({ from: [{ podSelector: {} }] });
  return rest.flatMap(({ from, ports }) =>
    from.map(
      ({ ipBlock }) =>
        `${ports[0]?.port} ${ipBlock.cidr}${ipBlock.except === undefined ? "" : ` but ${ipBlock.except.join(" ")}`}`,
    ),
  );
};

test.for([
  { name: "nothing is stated", rules: [], isPrivate: false, is: ["no policy"] },
  { name: "it is private", rules: [], isPrivate: true, is: [] },
  {
    name: "it is private and a source is allowed",
    rules: [rule("allow", 80, "10.0.0.0/8")],
    isPrivate: true,
    is: ["80 10.0.0.0/8"],
  },
  {
    name: "one port is allowed to a source, the workload's own stays open",
    rules: [rule("allow", 22, "10.0.0.0/8")],
    isPrivate: false,
    is: ["22 10.0.0.0/8", "80 0.0.0.0/0", "80 ::/0"],
  },
  {
    name: "a source is denied, everyone else is not",
    rules: [rule("deny", 80, "10.0.0.0/8")],
    isPrivate: false,
    is: ["80 0.0.0.0/0 but 10.0.0.0/8", "80 ::/0"],
  },
  {
    name: "everyone is denied a port, it is closed",
    rules: [rule("deny", 22, "0.0.0.0/0"), rule("deny", 22, "::/0")],
    isPrivate: false,
    is: ["80 0.0.0.0/0", "80 ::/0"],
  },
  {
    name: "part of an allowed source is denied",
    rules: [rule("allow", 80, "10.0.0.0/8"), rule("deny", 80, "10.1.0.0/16")],
    isPrivate: false,
    is: ["80 10.0.0.0/8 but 10.1.0.0/16"],
  },
  {
    name: "the rules come the other way round",
    rules: [rule("deny", 80, "10.1.0.0/16"), rule("allow", 80, "10.0.0.0/8")],
    isPrivate: false,
    is: ["80 10.0.0.0/8 but 10.1.0.0/16"],
  },
  {
    name: "an allowed source lies in a denied one",
    rules: [rule("allow", 80, "10.1.0.0/16"), rule("deny", 80, "10.0.0.0/8")],
    isPrivate: false,
    is: [],
  },
  {
    name: "the beginning of an allowed source is denied",
    rules: [rule("allow", 80, "10.0.0.0/8"), rule("deny", 80, "10.0.0.0/16")],
    isPrivate: false,
    is: ["80 10.0.0.0/8 but 10.0.0.0/16"],
  },
  {
    name: "a source is a single address, or anyone",
    rules: [rule("allow", 22, "10.1.2.3"), rule("allow", 80, "any")],
    isPrivate: false,
    is: ["22 10.1.2.3/32", "80 0.0.0.0/0", "80 ::/0"],
  },
  {
    name: "a source is of IPv6",
    rules: [rule("allow", 80, "fd00::/8"), rule("deny", 80, "fd00:1::/32")],
    isPrivate: true,
    is: ["80 fd00::/8 but fd00:1::/32"],
  },
  {
    name: "an allowed source is no address, nobody gets in by it",
    rules: [rule("allow", 80, "example.org")],
    isPrivate: false,
    is: [],
  },
])("when $name", ({ rules, isPrivate, is }) => {
  expect(open(rules, isPrivate)).toEqual(is);
});
