/** Tokens and tickets, and what is made of answers that are not the exchange's. */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { logIn, logOut, RestError, takeTicket } from "../src/index.js";

let server: Server;

afterEach(() => new Promise((resolve) => server.close(resolve)));

/** A server that gives one answer to everything; returns its address, and where it notes what it was asked. */
async function answering(status: number, body: string): Promise<[string, string[]]> {
  const asked: string[] = [];
  server = createServer((request, response) => {
    let text = "";
    request.on("data", (part: Buffer) => (text += part.toString()));
    request.on("end", () => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? "-"} ${text}`);
      response.writeHead(status, { connection: "close" }).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return [`ws://127.0.0.1:${(server.address() as AddressInfo).port}/under`, asked];
}

test("a password gives a token", async () => {
  const [address, asked] = await answering(200, '{"token":"t","expires_at":"2027-01-15T13:30:00Z"}');
  expect(await logIn(address, "alice", "p")).toEqual({ token: "t", expiresAt: new Date("2027-01-15T13:30:00Z") });
  expect(asked).toEqual(['POST /under/api/v1/login - {"user_name":"alice","password":"p"}']);
});

test("a token gives tickets", async () => {
  const [address, asked] = await answering(201, '{"ticket":"x"}');
  expect(await takeTicket(address, "t")).toBe("x");
  expect(asked).toEqual(["POST /under/api/v1/tickets Bearer t "]);
});

test("a token is revoked", async () => {
  const [address, asked] = await answering(204, "");
  await logOut(address, "t");
  expect(asked).toEqual(["POST /under/api/v1/logout Bearer t "]);
});

test.each([
  [
    '{"error":{"code":1010,"reason":"TOO_MANY_ATTEMPTS","content":"wait","details":{}}}',
    1010,
    "TOO_MANY_ATTEMPTS",
    "wait",
  ],
  ["<html>Bad Gateway</html>", 429, "refused", "<html>Bad Gateway</html>"],
  ["[1]", 429, "refused", "[1]"],
  ["", 429, "refused", ""],
])("a refusal is told by code and reason, also where no exchange wrote it: %j", async (body, code, reason, content) => {
  const [address] = await answering(429, body);
  const refused = logIn(address, "alice", "p");
  await expect(refused).rejects.toThrow(RestError);
  await expect(refused).rejects.toMatchObject({ status: 429, code, reason, message: `429 ${reason}: ${content}` });
});
