import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/long/**/*.test.ts"],
    testTimeout: 3_600_000,
    fileParallelism: false,
    teardownTimeout: 60_000,
    env: { ORT_DISABLE_TELEMETRY: "1" },
  },
});
