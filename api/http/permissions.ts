/** What a token may be allowed to do. `admin:*` includes everything, over all tenants. */
export const permissions = [
  "intents:read",
  "intents:write",
  "intents:delete",
  "resources:read",
  "resources:write",
  "tokens:manage",
  "webhooks:manage",
  "audit:read",
  "admin:*",
] as const;

export type Permission = (typeof permissions)[number];

/** True when one of `granted` allows what needs `needed`. */
export function allows(granted: readonly Permission[], needed: Permission): boolean {
  return granted.includes(needed) || granted.includes("admin:*");
}

/** True for the name of a permission. */
export function isPermission(text: string): text is Permission {
  return (permissions as readonly string[]).includes(text);
}
