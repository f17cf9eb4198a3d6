/** The part of the REST interface that a login needs: tokens and tickets. */

import { restUrl } from "./address.js";
import { RestError } from "./errors.js";
import { type JsonObject, isObject } from "./json.js";

export interface Token {
  readonly token: string;
  readonly expiresAt: Date;
}

/**
 * Exchange a password for a token, which then logs in as `{ userName, token }` and need not be kept as secret as a password.
 *
 * Throws RestError where it is refused (401: wrong user or password, 429: too many attempts), and what `fetch` throws.
 */
export async function logIn(address: string, userName: string, password: string): Promise<Token> {
  const answer = await post(address, "/api/v1/login", undefined, { user_name: userName, password });
  return { token: String(answer.token), expiresAt: new Date(String(answer.expires_at)) };
}

/** Revoke a token. Throws RestError and what `fetch` throws. */
export async function logOut(address: string, token: string): Promise<void> {
  await post(address, "/api/v1/logout", token);
}

/** A ticket for one connection, good for half a minute. Throws RestError and what `fetch` throws. */
export async function takeTicket(address: string, token: string): Promise<string> {
  const answer = await post(address, "/api/v1/tickets", token);
  return String(answer.ticket);
}

async function post(address: string, path: string, token?: string, body?: object): Promise<JsonObject> {
  const response = await fetch(restUrl(address, path), {
    method: "POST",
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw refusal(response.status, text);
  return text === "" ? {} : (JSON.parse(text) as JsonObject);
}

function refusal(status: number, text: string): RestError {
  const error = errorIn(text);
  const code = typeof error.code === "number" ? error.code : status;
  return new RestError(status, code, String(error.reason ?? "refused"), String(error.content ?? text.slice(0, 200)));
}

/** The error of an answer; nothing of it where a proxy answered instead of the exchange. */
function errorIn(text: string): JsonObject {
  try {
    const answer: unknown = JSON.parse(text);
    return isObject(answer) && isObject(answer.error) ? answer.error : {};
  } catch {
    return {};
  }
}
