/** The built package, as Node and bundlers meet it. */

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PACKAGE } from "./support/build.js";

const modules = readdirSync(join(PACKAGE, "dist")).filter((name) => name.endsWith(".js"));

test("is imported by its names in plain Node", () => {
  const script = `
    const [core, vue, react] = await Promise.all(["", "/vue", "/react"].map((part) => import("chronex-client" + part)));
    console.log(typeof core.ChronexClient, typeof core.Mirror, typeof vue.useExchange, typeof react.useExchange);`;
  const printed = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: PACKAGE,
    encoding: "utf-8",
  });
  expect(printed).toBe("function function function function\n");
});

test("needs nothing but itself, and its bindings what they bind", () => {
  for (const name of modules) {
    const imported = readFileSync(join(PACKAGE, "dist", name), "utf-8").matchAll(/\bfrom "([^"]+)"/g);
    const others = [...imported].map(([, from]) => from as string).filter((from) => !from.startsWith("./"));
    expect(others).toEqual({ "vue.js": ["vue"], "react.js": ["react"] }[name] ?? []);
  }
  const { dependencies } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf-8")) as Record<string, unknown>;
  expect(dependencies).toBeUndefined();
});

test("has declarations for each of its modules", () => {
  const declarations = new Set(readdirSync(join(PACKAGE, "dist")).filter((name) => name.endsWith(".d.ts")));
  expect(modules.length).toBeGreaterThan(10);
  for (const name of modules) expect(declarations).toContain(name.replace(/\.js$/, ".d.ts"));
});
