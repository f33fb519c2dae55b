import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    dir: "test",
    include: ["**/*.test.ts"],
    testTimeout: 60_000,
    setupFiles: ["test/setup.ts"],
    env: { NO_COLOR: "1" },
  },
});

export default config;
