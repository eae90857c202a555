import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["**/test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "dist/**", "test/long/**"],
    testTimeout: 30_000,
    maxWorkers: 2,
    env: { ORT_DISABLE_TELEMETRY: "1" },
  },
});
