import Table from "cli-table3";
import colors from "picocolors";
import { formatMicro, type Micro } from "../../engine/model/money.ts";

/** "1.80 EUR/h", amounts rounded to a tenth of a cent for people. */
export function price(micro: Micro, currency: string): string {
  return `${formatMicro(Math.round(micro / 1000) * 1000)} ${currency}/h`;
}

/** Borderless table with aligned columns. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const blank = {
    top: "",
    "top-mid": "",
    "top-left": "",
    "top-right": "",
    bottom: "",
    "bottom-mid": "",
    "bottom-left": "",
    "bottom-right": "",
    left: "    ",
    "left-mid": "",
    mid: "",
    "mid-mid": "",
    right: "",
    "right-mid": "",
    middle: "  ",
  };
  const lines = new Table({
    head: head.map((text) => colors.bold(text)),
    chars: blank,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  lines.push(...rows.map((row) => [...row]));
  return lines
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}
