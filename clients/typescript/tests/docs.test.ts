/** The code of the documentation: all of it is type-checked, the first program trades, the Vue component compiles. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileScript, parse } from "vue/compiler-sfc";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { PACKAGE, tsc } from "./support/build.js";
import { Exchange } from "./support/exchange.js";

const PAGE = readFileSync(join(PACKAGE, "../../docs/clients/typescript.md"), "utf-8");
const README = readFileSync(join(PACKAGE, "README.md"), "utf-8");

/** The code blocks of a page by the file name in their first line; a block without one is called `unnamed.ts`. */
function blocksOf(page: string): Map<string, string> {
  const found = page.matchAll(/^```(?:ts|tsx|vue)\n((?:(?:\/\/|<!--) ([\w.]+).*\n)?[^]*?)^```$/gm);
  return new Map([...found].map(([, code, name]) => [name ?? "unnamed.ts", code as string]));
}

/** The script of a Vue component with its template compiled into it. */
function compiled(component: string): string {
  const { descriptor, errors } = parse(component);
  expect(errors).toEqual([]);
  return compileScript(descriptor, { id: "page", inlineTemplate: true }).content;
}

let folder: string;

beforeAll(() => {
  // Within the package, so that imports find what it has installed.
  mkdirSync(join(PACKAGE, ".documentation"), { recursive: true });
  folder = mkdtempSync(join(PACKAGE, ".documentation/page-"));
});

afterAll(() => rmSync(join(PACKAGE, ".documentation"), { recursive: true, force: true }));

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
});

test("all code of the page and of the README has the right types", () => {
  const blocks = new Map([...blocksOf(PAGE), ...blocksOf(README)]);
  expect([...blocks.keys()]).toEqual([
    ...["buy.ts", "watch.ts", "recovery.ts", "exchange.ts", "Positions.vue", "store.ts", "Quote.tsx"],
    "unnamed.ts",
  ]);
  for (const [name, code] of blocks) {
    if (name.endsWith(".vue")) writeFileSync(join(folder, `${name}.ts`), compiled(code));
    else writeFileSync(join(folder, name), code);
  }
  const config = { extends: "../../tsconfig.json", compilerOptions: { types: ["node"] }, include: ["*"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  tsc("-p", folder);
});

test("the first program buys on a demo exchange", async () => {
  const exchange = await Exchange.start("--demo");
  try {
    const program = blocksOf(PAGE).get("buy.ts") as string;
    expect(program.split('"ws://127.0.0.1:8000"').length).toBe(2);
    const file = join(folder, "run.ts");
    writeFileSync(file, program.replace("ws://127.0.0.1:8000", exchange.address));
    vi.stubEnv("CHRONEX_PASSWORD", exchange.passwordOf("alice"));
    vi.stubGlobal("WebSocket", WebSocket);
    const printed: unknown[][] = [];
    vi.spyOn(console, "log").mockImplementation((...words: unknown[]) => void printed.push(words));
    await import(/* @vite-ignore */ file);
    expect(printed).toEqual([
      ["available", 1_000_000],
      ["last price", expect.any(Number)],
      ["FILLED", expect.any(String)],
      ["long", 1],
    ]);
  } finally {
    await exchange.destroy();
  }
});
