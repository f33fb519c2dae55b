declare const brand: unique symbol;

/**
 * Name of a tenant that is known to exist. Only what was read from the store or checked against it carries this
 * type, so that a name taken from a request cannot select another tenant's rows.
 */
export type TenantId = string & { readonly [brand]: "tenant" };

/** States that `name` is a tenant: for the composition root, administration and readers of rows. */
export function trustTenant(name: string): TenantId {
  return name as TenantId;
}
