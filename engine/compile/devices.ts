import { arrange, migGeometry, migMilli, slicesOf } from "../catalog/mig.ts";
import type { Flavor } from "../model/flavor.ts";
import type { GpuNeed } from "../model/intent.ts";

/** Part of one GPU that a replica asks for; exactly one of both is set. */
export interface PartNeed {
  /** Thousandths, 1..999. */
  readonly milli?: number;
  readonly profile?: string;
}

/** Part of a device that the plan gave away. */
export interface DevicePart extends PartNeed {
  /** `Device.index` where the offer lists devices, else a running number. */
  readonly device: number;
  /** The device was wholly free in the snapshot: one of the offer's free GPUs is gone while it has parts. */
  readonly wasWhole: boolean;
  /** It was the first part on such a device. */
  readonly opens: boolean;
}

/** The part that a replica asks for, or undefined where it takes whole GPUs. */
export function partOfNeed({
  fractionMilli,
  migProfile,
}: Pick<GpuNeed, "fractionMilli" | "migProfile">): PartNeed | undefined {
  if (migProfile !== undefined) return { profile: migProfile };
  return fractionMilli === undefined || fractionMilli >= 1000 ? undefined : { milli: fractionMilli };
}

/** GPU thousandths that a part is billed as in an offer: a MIG instance by its compute slices. */
export function partMilli({ milli, profile }: PartNeed, flavor: Flavor): number {
  if (milli !== undefined) return milli;
  const geometry = migGeometry(flavor.gpu);
  return geometry === null ? 1000 : migMilli(geometry, profile!);
}

/**
 * Thousandths of GPUs that replicas with so many GPUs each, or with a part of one, hold in an offer. A part in an offer that
 * has left the catalogue counts as what it states, a MIG slice as a whole GPU.
 */
export function heldMilli(
  { gpus, part }: { readonly gpus: number; readonly part?: PartNeed | undefined },
  replicas: number,
  flavor: Flavor | undefined,
): number {
  if (part === undefined) return gpus * replicas * 1000;
  return replicas * (flavor === undefined ? (part.milli ?? 1000) : partMilli(part, flavor));
}

/** What is left of one device. */
interface Room {
  readonly device: number;
  free: number;
  readonly profiles: string[];
  /** Wholly free in the snapshot. */
  readonly isWhole: boolean;
  /** Parts of this plan on it. */
  parts: number;
}

const isCut = (room: Room): boolean => room.profiles.length > 0;

/** Devices of an offer less the given parts. Offers that list no devices have as many as are free, all whole. */
function roomsOf({ capacity }: Flavor, parts: readonly DevicePart[], asIfFree: boolean): Room[] {
  const listed =
    capacity.devices ??
    Array.from({ length: asIfFree ? capacity.gpus : capacity.gpusFree }, (_, index) => ({
      index,
      freeMilli: 1000,
    }));
  const rooms = listed.map(
    ({
      index,
      freeMilli,
      migInUse,
    }: {
      index: number;
      freeMilli: number;
      migInUse?: readonly string[];
    }): Room => {
      const free = asIfFree ? 1000 : freeMilli;
      const profiles = asIfFree ? [] : [...(migInUse ?? [])];
      return { device: index, free, profiles, isWhole: free === 1000 && profiles.length === 0, parts: 0 };
    },
  );
  for (const part of parts) {
    const room = rooms.find(({ device }) => device === part.device);
    if (room === undefined) continue;
    room.parts += 1;
    room.free -= part.milli ?? 0;
    if (part.profile !== undefined) room.profiles.push(part.profile);
  }
  return rooms;
}

/** How tight a fit a device is, less is better; Infinity where the part does not fit. */
function tightness(flavor: Flavor, room: Room, part: PartNeed): number {
  if (part.milli !== undefined)
    return isCut(room) || room.free < part.milli ? Number.POSITIVE_INFINITY : room.free;
  const geometry = migGeometry(flavor.gpu);
  // a device is either shared or cut
  if (geometry === null || (!isCut(room) && room.free < 1000)) return Number.POSITIVE_INFINITY;
  if (arrange(geometry, [...room.profiles, part.profile!]) === null) return Number.POSITIVE_INFINITY;
  return geometry.slices - room.profiles.reduce((sum, name) => sum + slicesOf(geometry, name), 0);
}

export interface PartsAsked {
  readonly flavor: Flavor;
  readonly part: PartNeed;
  /** Parts that are given away already. */
  readonly taken: readonly DevicePart[];
  /** Wholly free devices that may still be opened. */
  readonly wholeLeft: number;
  /** Judges the devices as if nothing ran on them. */
  readonly asIfFree: boolean;
}

/**
 * Devices for up to `most` equal parts, one after the other: the tightest device in use first, then the first that is
 * wholly free. Fewer where no more fit.
 */
export function pickParts(
  { flavor, part, taken, wholeLeft, asIfFree }: PartsAsked,
  most: number,
): DevicePart[] {
  const rooms = roomsOf(flavor, taken, asIfFree);
  let left = wholeLeft;
  const picked: DevicePart[] = [];
  while (picked.length < most) {
    let best: Room | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const room of rooms) {
      const isUntouched = room.isWhole && room.parts === 0;
      if (isUntouched && left < 1) continue;
      // one in use always comes before one that is whole, however tight
      const fit = tightness(flavor, room, part) + (isUntouched ? 10_000 : 0);
      if (fit < least) {
        best = room;
        least = fit;
      }
    }
    if (best === undefined) break;
    const opens = best.isWhole && best.parts === 0;
    if (opens) left -= 1;
    best.parts += 1;
    best.free -= part.milli ?? 0;
    if (part.profile !== undefined) best.profiles.push(part.profile);
    picked.push({ ...part, device: best.device, wasWhole: best.isWhole, opens });
  }
  return picked;
}

/** Wholly free GPUs that are gone while these parts are in use. */
export const openedBy = (parts: readonly DevicePart[]): number =>
  new Set(parts.flatMap(({ device, wasWhole }) => (wasWhole ? [device] : []))).size;

/** Thousandths of a device that a part takes when devices are packed: a MIG instance by its memory slices, 1..1000. */
export function packedMilli({ milli, profile }: PartNeed, flavor: Flavor): number {
  if (milli !== undefined) return milli;
  const geometry = migGeometry(flavor.gpu);
  return geometry === null ? 1000 : Math.round((1000 * slicesOf(geometry, profile!)) / geometry.slices);
}

/**
 * Thousandths per device that a part like `part` may still use after the given parts; 0 where it does not fit, as a device
 * is either shared or cut into MIG instances.
 */
export const freeMilliOf = (flavor: Flavor, taken: readonly DevicePart[], part: PartNeed): number[] =>
  roomsOf(flavor, taken, false).map((room) => {
    if (tightness(flavor, room, part) === Number.POSITIVE_INFINITY) return 0;
    return room.profiles.reduce((left, profile) => left - packedMilli({ profile }, flavor), room.free);
  });

/** Wholly free devices of an offer without the ones that parts have opened, by index; none where it lists none. */
export const wholeDevices = ({ capacity }: Flavor, taken: readonly DevicePart[]): number[] =>
  (capacity.devices ?? [])
    .filter(
      ({ index, freeMilli, migInUse }) =>
        freeMilli === 1000 && (migInUse ?? []).length === 0 && !taken.some(({ device }) => device === index),
    )
    .map(({ index }) => index);
