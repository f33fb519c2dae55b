import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    dir: "test",
    include: ["**/*.test.ts"],
    testTimeout: 60_000,
    setupFiles: ["test/setup.ts"],
    // by default a core is left free, which on two cores is half of them
    maxWorkers: "100%",
    env: { NO_COLOR: "1" },
  },
});

export default config;
