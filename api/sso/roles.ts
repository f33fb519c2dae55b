import type { Permission } from "../http/permissions.ts";
import type { Grant } from "./config.ts";

/** Roles that groups are mapped to; each of the first three includes the one before. */
export const roleNames = ["viewer", "operator", "tenant-admin", "platform-admin"] as const;

export type Role = (typeof roleNames)[number];

const viewer: readonly Permission[] = ["intents:read", "resources:read"];
const operator: readonly Permission[] = [...viewer, "intents:write", "intents:delete", "resources:write"];

/** What a role allows in its tenant; `platform-admin` allows everything in all of them. */
export const rolePermissions: Readonly<Record<Role, readonly Permission[]>> = {
  viewer,
  operator,
  "tenant-admin": [...operator, "tokens:manage", "webhooks:manage", "audit:read"],
  "platform-admin": ["admin:*"],
};

/**
 * What the table gives to somebody: permissions by tenant, tenants in the order of the table. Only exact names count;
 * nobody gets anything that the table does not say.
 */
export function permissionsOf(
  grants: readonly Grant[],
  subject: string,
  groups: readonly string[],
): ReadonlyMap<string, readonly Permission[]> {
  const found = new Map<string, Set<Permission>>();
  for (const grant of grants) {
    const isTheirs = grant.group === undefined ? grant.subject === subject : groups.includes(grant.group);
    if (!isTheirs) continue;
    const permissions = found.get(grant.tenant) ?? new Set();
    found.set(grant.tenant, permissions);
    for (const permission of rolePermissions[grant.role]) permissions.add(permission);
  }
  return new Map([...found].map(([tenant, permissions]) => [tenant, [...permissions]]));
}
