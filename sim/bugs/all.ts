import type { Bug } from "./bug.ts";
import { controlBugs } from "./control.ts";
import { storageBugs } from "./storage.ts";

/** Every bug that is planted to see that it is found. */
export const bugs: readonly Bug[] = [...storageBugs, ...controlBugs];
