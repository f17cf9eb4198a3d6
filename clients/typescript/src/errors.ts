/** What can go wrong, one class for each thing that a program may want to tell apart. */

/** A step could not be taken; the mirror is what it was before. */
export class MirrorError extends Error {
  override readonly name = "MirrorError";
}

/** The exchange refused the login. It is not tried again until `connect` is called. */
export class LoginError extends Error {
  override readonly name = "LoginError";

  /** @param code the notice's code, such as 1001 for a wrong user name or password */
  constructor(
    readonly code: number,
    readonly content: string,
  ) {
    super(`the login was refused (${code}): ${content}`);
  }
}

/** The client was closed, or never connected. */
export class ClosedError extends Error {
  override readonly name = "ClosedError";
}

/** What was waited for did not happen in time. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}

/** More messages wait for an answer than the client keeps; this one was not taken. */
export class QueueFullError extends Error {
  override readonly name = "QueueFullError";
}

/** A REST request was refused. */
export class RestError extends Error {
  override readonly name = "RestError";

  /**
   * @param status the HTTP status
   * @param code the exchange's code, or the status where the answer held none
   */
  constructor(
    readonly status: number,
    readonly code: number,
    readonly reason: string,
    content: string,
  ) {
    super(`${status} ${reason}: ${content}`);
  }
}
