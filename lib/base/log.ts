/** Port: structured events. Names are stable ("round.closed"); fields are plain, so no secret fits by type. */

export type LogValue = string | number | boolean | undefined | readonly (string | number)[];
export type LogFields = { readonly [field: string]: LogValue };

export type Log = {
  readonly debug: (event: string, fields?: LogFields) => void;
  readonly info: (event: string, fields?: LogFields) => void;
  readonly warn: (event: string, fields?: LogFields) => void;
  readonly error: (event: string, fields?: LogFields) => void;
};

/** Drops every event. */
export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {}

/** Name and message of anything thrown, for a log field; never its stack or other properties. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return "something that is not an Error was thrown";
  const code = "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
  return `${error.name}${code}: ${error.message}`.slice(0, 1024);
}
