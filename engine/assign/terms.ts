import type { Intent } from "../model/intent.ts";
import type { Terms } from "../model/terms.ts";
import { limitsOf } from "../quota/limits.ts";
import type { Accounts } from "./accounts.ts";

/** What binds a batch besides its offers: the quotas of its tenants. Running work is asked to leave only afterwards. */
export function termsOf({ books }: Accounts, pending: readonly Intent[]): Terms {
  return {
    limits: limitsOf(books, new Set(pending.map(({ tenant }) => tenant))),
    floors: [],
    running: [],
  };
}
