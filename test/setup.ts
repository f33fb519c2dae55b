import fc from "fast-check";

// Properties draw the same cases at every run, so that a change is judged by what it changes; FLARE_SEED=N draws others.
fc.configureGlobal({ seed: Number(process.env["FLARE_SEED"] ?? 20_260_115) });
