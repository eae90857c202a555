import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["**/test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "dist/**", "test/long/**"],
    testTimeout: 120_000,
    // RSA keys of simulated SNP platforms are searched for: seconds as a rule, many where the machine is loaded.
    hookTimeout: 60_000,
    maxWorkers: 2,
    // Native addons and closing listeners may hold a loaded machine's fork for longer than the ten seconds it has.
    teardownTimeout: 60_000,
    env: { ORT_DISABLE_TELEMETRY: "1" },
  },
});
