/**
 * Fields of an intent that are read and kept, but change no decision yet: each one stated is answered with a
 * warning that names it. A path covers everything below it. Remove an entry when its constraint takes
 * effect, and run `npm run golden` for the reference page.
 */
export const notEffective: readonly string[] = ["intent.constraints.negotiation.timeout_seconds"];
