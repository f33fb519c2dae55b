import { arrange, migGeometry, migMilli } from "../catalog/mig.ts";
import type { Placement } from "../model/decision.ts";
import { assert } from "../model/errors.ts";
import type { Device, Flavor } from "../model/flavor.ts";
import type { GpuNeed, Intent } from "../model/intent.ts";

/** True when each replica of the intent takes a part of one GPU. */
export const asksPart = ({ fractionMilli, migProfile }: GpuNeed): boolean =>
  migProfile !== undefined || (fractionMilli !== undefined && fractionMilli < 1000);

/** GPU thousandths that one replica is billed in an offer. */
export function billedMilli({ count, fractionMilli, migProfile }: GpuNeed, flavor: Flavor): number {
  if (migProfile === undefined)
    return fractionMilli !== undefined && fractionMilli < 1000 ? fractionMilli : 1000 * count;
  const geometry = migGeometry(flavor.gpu);
  return geometry === null ? 1000 : migMilli(geometry, migProfile);
}

/** What one device gives. */
interface Given {
  milli: number;
  whole: number;
  readonly profiles: string[];
}

function checkDevice(flavor: Flavor, device: Device, given: Given): void {
  const name = `${flavor.id}: device ${device.index}`;
  const inUse = device.migInUse ?? [];
  const { milli, whole, profiles } = given;
  assert(milli <= device.freeMilli, `${name} gives ${milli} of ${device.freeMilli} thousandths`);
  assert(
    whole === 0 || (whole === 1 && milli === 0 && profiles.length === 0 && inUse.length === 0),
    `${name} is given whole and once more`,
  );
  assert(whole === 0 || device.freeMilli === 1000, `${name} is given whole but not wholly free`);
  assert(milli === 0 || profiles.length + inUse.length === 0, `${name} is shared and cut`);
  if (profiles.length === 0) return;
  const geometry = migGeometry(flavor.gpu);
  assert(device.freeMilli === 1000 || inUse.length > 0, `${name} is cut but shared`);
  assert(
    geometry !== null && arrange(geometry, [...inUse, ...profiles]) !== null,
    `${name} cannot hold ${[...inUse, ...profiles].join(", ")}`,
  );
}

/** Devices of an offer as a plan gives them away, collected placement by placement. */
export interface DeviceCheck {
  add(intent: Intent, placement: Placement): void;
  /**
   * Every device gives at most what is free on it, is cut legally, and is given whole only once.
   *
   * @returns wholly free GPUs that parts open
   * @throws {Error} a broken invariant
   */
  finish(): number;
}

/** @param flavor the offer, with what evicted work gives back */
export function checkDevices(flavor: Flavor): DeviceCheck {
  const { capacity } = flavor;
  const given = new Map<number, Given>();
  let unlistedMilli = 0;
  return {
    add(intent, { devices, replicas }) {
      const { gpu } = intent.workload.resources;
      const isPart = asksPart(gpu);
      if (devices === undefined) {
        assert(!isPart || capacity.devices === undefined, `${intent.name} has no device at ${flavor.id}`);
        if (isPart) unlistedMilli += replicas * billedMilli(gpu, flavor);
        return;
      }
      assert(devices.length === replicas, `${intent.name}: ${devices.length} sets of devices`);
      for (const own of devices) {
        assert(own.length === gpu.count, `${intent.name}: ${own.length} devices for ${gpu.count} GPUs`);
        for (const device of own) {
          const here = given.get(device) ?? { milli: 0, whole: 0, profiles: [] };
          if (gpu.migProfile !== undefined) here.profiles.push(gpu.migProfile);
          else if (isPart) here.milli += gpu.fractionMilli!;
          else here.whole += 1;
          given.set(device, here);
        }
      }
    },
    finish() {
      let opened = 0;
      for (const [index, own] of given) {
        const device = capacity.devices?.find((one) => one.index === index);
        assert(device !== undefined, `${flavor.id} has no device ${index}`);
        checkDevice(flavor, device, own);
        const isWhole = device.freeMilli === 1000 && (device.migInUse ?? []).length === 0;
        if (own.whole === 0 && isWhole) opened += 1;
      }
      // without a list only the sum can be told
      return opened + Math.ceil(unlistedMilli / 1000);
    },
  };
}
