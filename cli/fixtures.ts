import { createReadStream } from "node:fs";
import { basename, dirname } from "node:path";
import type { Readable } from "node:stream";
import { readPriceTable } from "../adapters/catalog/price-table.ts";
import { isFluidosDocument } from "../adapters/fluidos/read.ts";
import { isCurrency } from "../adapters/kubernetes/quantity.ts";
import { EngineError } from "../engine/model/errors.ts";
import { parseMicro } from "../engine/model/money.ts";
import { InputError } from "./exit.ts";
import {
  type GeneratedDocument,
  type RatesDocument,
  readSource,
  type ScopedFlavors,
  type Source,
  unreadable,
} from "./input.ts";
import { progressOf } from "./render/progress.ts";

/** The flags that name a federation. */
export interface FixtureFlags {
  readonly fixture: readonly string[];
  /** `USD=0.88`: what one unit of a foreign currency is worth. */
  readonly rate?: readonly string[];
  /** What memory and cores of FLUIDOS flavors count; without it, whatever is nearer to the GPU catalog. */
  readonly memoryScope?: "gpu" | "node";
}

/** Most offers that are generated: a process needs about 4 KB for each. */
const MOST_GENERATED = 500_000;

/** `generate:100000?seed=1` as the numbers it stands for. */
function generated(name: string): GeneratedDocument {
  const match = /^generate:(\d{1,9})(?:\?seed=(\d{1,9}))?$/.exec(name);
  const count = Number(match?.[1]);
  if (match === null || count < 1 || count > MOST_GENERATED)
    throw new InputError([
      `${name}: accepted: generate:COUNT or generate:COUNT?seed=NUMBER, with COUNT from 1 to ${MOST_GENERATED}`,
    ]);
  return { format: "generated", count, seed: Number(match[2] ?? 1) };
}

/** Seller of a price list that names none: catalogs keep one folder per cloud, each with a `vms.csv`. */
function sellerOf(name: string): string {
  const file = basename(name).replace(/(\.csv)?$/i, "");
  return (file === "vms" ? basename(dirname(name)) : file) || "unnamed";
}

async function readCsv(name: string): Promise<Source> {
  const input: Readable = createReadStream(name);
  const progress = progressOf(name, input);
  try {
    return { name, document: await readPriceTable(input, sellerOf(name), progress.step) };
  } catch (error) {
    if (error instanceof EngineError) throw new InputError([`${name}: ${error.message}`]);
    if ((error as NodeJS.ErrnoException).code !== undefined) throw unreadable(name, error);
    throw error;
  } finally {
    progress.end();
  }
}

/** FLUIDOS flavors together with the scope that the flags give them. */
function scoped(source: Source, { memoryScope }: FixtureFlags): Source {
  if (memoryScope === undefined || !isFluidosDocument(source.document)) return source;
  const document: ScopedFlavors = { format: "flavors", memoryScope, document: source.document };
  return { name: source.name, document };
}

function readRates(texts: readonly string[]): RatesDocument {
  const rates = texts.map((text): [string, number] => {
    const [currency = "", amount = ""] = text.split("=");
    const accepts =
      "accepted: CURRENCY=AMOUNT such as USD=0.88, the worth of one dollar in the federation's currency";
    try {
      const micro = parseMicro(amount);
      if (isCurrency(currency) && micro > 0) return [currency, micro];
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
    }
    throw new InputError([`--rate ${text}: ${accepts}`]);
  });
  return { format: "rates", rates: Object.fromEntries(rates) };
}

/**
 * Reads what `--fixture` and `--rate` name. A name that ends in `.csv` is a price list, read as a stream with progress on
 * a terminal; `generate:COUNT?seed=N` is made up; everything else is a JSON or YAML file, `-` standard input.
 *
 * @throws {InputError} when a file is missing or malformed
 */
export async function readFixtures(flags: FixtureFlags): Promise<Source[]> {
  if (flags.fixture.length === 0)
    throw new InputError(["no federation; accepted: --fixture FILE, once or more (- is standard input)"]);
  const sources: Source[] = [];
  for (const name of flags.fixture) {
    if (name.startsWith("generate:")) sources.push({ name, document: generated(name) });
    else sources.push(/\.csv$/i.test(name) ? await readCsv(name) : scoped(readSource(name), flags));
  }
  const rates = flags.rate ?? [];
  return rates.length === 0 ? sources : [...sources, { name: "--rate", document: readRates(rates) }];
}
