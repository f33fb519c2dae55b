import { type Permission, permissions } from "../../api/http/permissions.ts";
import { createDrivenService, type DrivenService } from "../api/driven-env.ts";

/** All permissions of a user. */
export const everything: readonly Permission[] = permissions.filter((name) => name !== "admin:*");
type Answer = Awaited<ReturnType<DrivenService["request"]>>;

/** The whole service without sockets, with a user who may do everything but administer it. */
export async function start(options: Parameters<typeof createDrivenService>[0] = {}): Promise<{
  service: DrivenService;
  token: string;
  call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;
}> {
  const service = await createDrivenService(options);
  const token = await service.token(everything);
  const call = (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer> => service.request(token, method, path, body, headers);
  return { service, token, call };
}
