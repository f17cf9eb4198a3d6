/** The built package in headless Chromium, as a page would load it: plain ES modules, no bundler. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type * as Package from "../src/index.js";
import type { ChronexClient } from "../src/index.js";
import { PACKAGE } from "./support/build.js";
import { Exchange, INSTRUMENT } from "./support/exchange.js";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);

if (CHROMIUM === undefined) {
  console.warn("skipped: no Chromium in /usr/bin; on Debian, `apt-get install chromium` brings it");
}

/** What the page's script leaves for the test. */
type Window = typeof globalThis & { chronex: typeof Package; alice: ChronexClient; bob: ChronexClient };

const HTML = `<!doctype html><title>chronex-client</title>
<script type="module">import * as chronex from "/index.js"; globalThis.chronex = chronex;</script>`;

/** Gives the page, and the modules of the package beside it. */
async function serve(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    const name = new URL(request.url ?? "/", "http://page").pathname;
    if (name === "/") {
      response.writeHead(200, { "content-type": "text/html" }).end(HTML);
      return;
    }
    readFile(join(folder, name)).then(
      (module) => response.writeHead(200, { "content-type": "text/javascript" }).end(module),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

describe.skipIf(CHROMIUM === undefined)("in Chromium", () => {
  let server: Server;
  let exchange: Exchange;
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    server = await serve(join(PACKAGE, "dist"));
    const site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    exchange = await Exchange.start("--origins", site);
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : []; // Chromium refuses to sandbox itself for root
    browser = await chromium.launch({ executablePath: CHROMIUM as string, args });
    page = await browser.newPage();
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(site);
  });

  afterAll(async () => {
    await browser?.close();
    await exchange?.destroy();
    await new Promise((resolve) => server?.close(resolve));
  });

  test("two users log in, watch a quote and trade", async () => {
    const seen = await page.evaluate(
      async ([address, instrument]) => {
        const page = globalThis as Window;
        const { ChronexClient } = page.chronex;
        const connect = async (userName: string): Promise<ChronexClient> => {
          const client = new ChronexClient({
            addresses: address,
            login: { userName, password: "passw0rd" },
            backoff: { baseMs: 50, maxMs: 200 },
          });
          await client.connect();
          return client;
        };
        const [alice, bob] = [(page.alice = await connect("alice")), (page.bob = await connect("bob"))];
        bob.subscribe(instrument);
        const order = { instrument_id: instrument, offset: "OPEN", limit_price: 3_600 } as const;
        const sold = alice.insert({ ...order, direction: "SELL", volume: 2 });
        await alice.until(() => alice.order(sold));
        const bought = bob.insert({ ...order, direction: "BUY", volume: 1 });
        await bob.until(() => bob.order(bought)?.status === "FILLED");
        await alice.until(() => alice.order(sold)?.status === "PARTIALLY_FILLED");
        await bob.until(() => bob.quote(instrument)?.ask_volume1 === 1);
        return { long: bob.position(instrument)?.volume_long, last: bob.quote(instrument)?.last_price };
      },
      [exchange.address, INSTRUMENT] as const,
    );
    expect(seen).toEqual({ long: 1, last: 3_600 });
  });

  test("after a kill -9 and a restart both come back by one step, and trade on", async () => {
    const version = await page.evaluate(() => (globalThis as Window).alice.version);
    await exchange.kill();
    await exchange.startAgain();
    const seen = await page.evaluate(async (instrument) => {
      const { alice, bob } = globalThis as Window;
      for (const client of [alice, bob]) await client.until(() => client.status.state === "live");
      const bought = bob.insert({
        instrument_id: instrument,
        direction: "BUY",
        offset: "OPEN",
        volume: 1,
        limit_price: 3_600,
      });
      await bob.until(() => bob.order(bought)?.status === "FILLED");
      await alice.until(() => Object.values(alice.orders)[0]?.status === "FILLED");
      await bob.until(() => bob.quote(instrument)?.open_interest === 2);
      return { versions: alice.mirror.versions, short: alice.position(instrument)?.volume_short };
    }, INSTRUMENT);
    expect(seen.versions, "no full step came between").toContain(version);
    expect(seen.short).toBe(2);
  });

  test("nothing of it was an error of the page", async () => {
    await page.evaluate(() =>
      [(globalThis as Window).alice, (globalThis as Window).bob].forEach((client) => client.close()),
    );
    expect(errors).toEqual([]);
  });
});
