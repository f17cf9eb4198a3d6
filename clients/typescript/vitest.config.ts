import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (name: string): string => fileURLToPath(new URL(`src/${name}.ts`, import.meta.url));

export default defineConfig({
  resolve: {
    // As programs import it: the documentation's code runs as it stands.
    alias: [
      { find: /^chronex-client$/, replacement: source("index") },
      { find: /^chronex-client\/(vue|react)$/, replacement: fileURLToPath(new URL("src/$1.ts", import.meta.url)) },
    ],
  },
  test: {
    include: ["tests/**/*.test.{ts,tsx}"],
    globalSetup: "tests/support/build.ts",
    watch: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
