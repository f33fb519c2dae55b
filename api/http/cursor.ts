import { createHmac, timingSafeEqual } from "node:crypto";
import type { Env } from "../env.ts";
import type { TenantId } from "../store/tenant.ts";
import { ApiError } from "./problem.ts";

/** Places in lists as opaque texts that only this service makes, each good for one tenant and one list. */
export interface Cursors {
  make(tenant: TenantId, list: string, position: string): Promise<string>;
  /** @throws {ApiError} 400 when it was not made here for this tenant and this list */
  read(tenant: TenantId, list: string, cursor: string): Promise<string>;
}

const SIGNATURE_BYTES = 16;

/** Cursors signed with a secret that the store keeps, so that they outlive a restart. */
export function createCursors({ store, random }: Pick<Env, "store" | "random">): Cursors {
  let secret: Promise<string> | null = null;
  const secretText = (): Promise<string> => {
    secret ??= store.system
      .secret({ name: "cursor", fresh: Buffer.from(random.bytes(32)).toString("hex") })
      .catch((error: unknown) => {
        secret = null;
        throw error;
      });
    return secret;
  };
  const sign = async (tenant: TenantId, list: string, position: string): Promise<Buffer> =>
    createHmac("sha256", await secretText())
      .update(JSON.stringify([tenant, list, position]))
      .digest()
      .subarray(0, SIGNATURE_BYTES);
  return {
    async make(tenant, list, position) {
      const signature = await sign(tenant, list, position);
      return Buffer.concat([signature, Buffer.from(position)]).toString("base64url");
    },
    async read(tenant, list, cursor) {
      const invalid = new ApiError("INVALID_FORMAT", "query.cursor: not a cursor of this list", {
        problems: [{ path: "query.cursor", code: "invalid_format", message: "not a cursor of this list" }],
      });
      const bytes = Buffer.from(cursor, "base64url");
      if (bytes.length <= SIGNATURE_BYTES || bytes.toString("base64url") !== cursor) throw invalid;
      const position = bytes.subarray(SIGNATURE_BYTES).toString("utf8");
      const expected = await sign(tenant, list, position);
      if (!timingSafeEqual(bytes.subarray(0, SIGNATURE_BYTES), expected)) throw invalid;
      return position;
    },
  };
}
