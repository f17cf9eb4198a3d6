/** Builds the package once for all tests, so that none looks at a build of yesterday. */

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));

export function setup(): void {
  tsc("-p", "tsconfig.build.json");
}

/** Run the TypeScript compiler in the package's folder. Throws with its report where it finds an error. */
export function tsc(...args: string[]): void {
  try {
    execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", ...args], { cwd: PACKAGE, encoding: "utf-8" });
  } catch (error) {
    throw new Error(`tsc ${args.join(" ")}:\n${(error as { stdout?: string }).stdout ?? String(error)}`);
  }
}
