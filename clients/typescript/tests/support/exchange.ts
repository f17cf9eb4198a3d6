/** A real exchange in a process of its own, to be killed and started again. It never outlives the test. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const CHECKOUT = fileURLToPath(new URL("../../../../", import.meta.url));
const READY_MS = 30_000;

interface DemoUser {
  readonly name: string;
  readonly password: string;
}

/** What the exchange says of itself when it takes orders. */
interface Ready {
  readonly port: number;
  readonly users?: readonly DemoUser[];
}

/** Listed by the packaged market, with nobody else in it; trades around 3592 in ticks of 1. */
export const INSTRUMENT = "SHFE.rb2701";

export class Exchange {
  #process: ChildProcess | undefined;
  #port = 0;
  #users: readonly DemoUser[] = [];
  #said: string[] = [];

  private constructor(
    private readonly folder: string,
    private readonly options: readonly string[],
  ) {}

  /** An exchange on a fresh folder and a free port that opens an account for whoever logs in, ready to take orders. */
  static async start(...options: string[]): Promise<Exchange> {
    const exchange = new Exchange(await mkdtemp(join(tmpdir(), "chronex-client-")), options);
    await exchange.startAgain();
    return exchange;
  }

  get address(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  /** The password of a user of the demo. */
  passwordOf(name: string): string {
    return this.#users.find((user) => user.name === name)?.password ?? "";
  }

  /** On the same folder and the same port. */
  async startAgain(): Promise<void> {
    const [command, before] = exchangeCommand();
    const data = join(this.folder, "data");
    const args = ["serve", "--json", "--data", data, "--port", String(this.#port), "--auto-open", "1000000"];
    const child = spawn(command, [...before, ...args, ...this.options], {
      cwd: CHECKOUT,
      env: { ...process.env, PYTHONUNBUFFERED: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    process.once("exit", () => child.kill("SIGKILL"));
    const { port, users = [] } = await this.#ready(child);
    this.#port = port;
    this.#users = users;
  }

  /** As a power cut would: nothing is written at the last moment. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** In good order: clients are told to come back. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Leave nothing behind. */
  async destroy(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  #ready(child: ChildProcess): Promise<Ready> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        clearTimeout(timer);
        reject(new Error(`the exchange ${why}; it said:\n${this.#said.slice(-20).join("\n")}`));
      };
      const timer = setTimeout(() => fail(`was not ready within ${READY_MS} ms`), READY_MS);
      for (const output of [child.stdout, child.stderr]) {
        createInterface({ input: output as NodeJS.ReadableStream }).on("line", (line) => {
          this.#said.push(line);
          if (!line.startsWith('{"event":"ready"')) return;
          clearTimeout(timer);
          resolve(JSON.parse(line) as Ready);
        });
      }
      child.once("error", (error) => fail(`did not start: ${error.message}`));
      child.once("exit", (code, signal) => fail(`ended with ${code ?? signal}`));
    });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }
}

/** The command that CHRONEX_EXCHANGE names, else that of the checkout's virtual environment. */
function exchangeCommand(): [string, string[]] {
  const named = process.env.CHRONEX_EXCHANGE?.trim().split(/\s+/);
  if (named?.[0]) return [named[0], named.slice(1)];
  const python = join(CHECKOUT, ".venv/bin/python");
  if (existsSync(python)) return [python, ["-c", "from exchange.cli.main import main; main()"]];
  throw new Error(
    `there is no ${python}: name the command of an exchange in CHRONEX_EXCHANGE, such as .venv/bin/exchange`,
  );
}
