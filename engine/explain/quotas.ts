import type { Accounts } from "../assign/accounts.ts";
import type { Served } from "../assign/serve.ts";
import type { Warning } from "../model/intent.ts";
import type { QuotaReport } from "../model/plan.ts";
import { inUnits } from "../model/quota.ts";

/** For operators: who could lend to the intents that quotas keep out, by intent and resource. */
export function quotaReports({ books }: Accounts, served: readonly Served[]): QuotaReport[] {
  return served
    .flatMap(({ stated, verdict }) =>
      (verdict.quota ?? []).map(({ resource, nominal, used, asked }) => ({
        intent: stated.name,
        tenant: stated.tenant,
        resource,
        nominal,
        used,
        asked,
        lenders: books
          .lenders(stated.tenant, resource)
          .map(({ name, amount }) => ({ name, amount: inUnits(resource, amount) })),
      })),
    )
    .sort((a, b) =>
      a.intent === b.intent ? (a.resource < b.resource ? -1 : 1) : a.intent < b.intent ? -1 : 1,
    );
}

/** Entries of tenants that cannot be used, with what is wrong about them. */
export function tenantWarnings({ books }: Accounts): Warning[] {
  return [...books.tree.problems]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { detail }]) => ({
      path: `tenants (${name})`,
      code: "skipped",
      message: `${detail}; its intents are refused`,
    }));
}
