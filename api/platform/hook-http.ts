import { networkInterfaces } from "node:os";
import type { HookTools } from "../hooks/sender.ts";
import { createAddressPolicy } from "./addresses.ts";
import {
  createGuardedHttp,
  type GuardedHttp,
  type GuardOptions,
  parseTarget,
  RefusedTarget,
  type Resolve,
} from "./guarded-http.ts";

/** Where webhooks may go besides the public internet, and where not. */
export interface Outside {
  /** Networks to allow although they are private: receivers on the premises. `10.20.0.0/16` form. */
  readonly allowNetworks?: readonly string[];
  /** Networks to refuse, even inside allowed ones: those of the cluster, of this service. */
  readonly denyNetworks?: readonly string[];
  /** Ports besides 443 and 8443. */
  readonly ports?: readonly number[];
  /** Allows plain `http:`. */
  readonly allowHttp?: boolean;
  /** Default the system's. */
  readonly resolve?: Resolve;
}

/** This machine's own addresses that are not loopback, each as a network. */
const ownNetworks = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address, family }) => `${address.replace(/%.*$/, "")}/${family === "IPv4" ? 32 : 128}`);

/**
 * What sends webhooks: public addresses only, and what the operator allows besides.
 *
 * @throws {RangeError} when a network is not in CIDR form
 */
export function createHookHttp(outside: Outside): Pick<HookTools, "refuse"> & { readonly http: GuardedHttp } {
  const { allowNetworks = [], denyNetworks = [], ports = [], allowHttp = false, resolve } = outside;
  const options: GuardOptions = {
    addresses: createAddressPolicy([...denyNetworks, ...ownNetworks()], allowNetworks),
    ports: [443, 8443, ...ports],
    allowHttp,
    ...(resolve === undefined ? {} : { resolve }),
  };
  return {
    http: createGuardedHttp(options),
    refuse(url) {
      try {
        parseTarget(url, options);
        return null;
      } catch (error) {
        if (error instanceof RefusedTarget) return error.message;
        throw error;
      }
    },
  };
}
