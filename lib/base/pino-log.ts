import { pino } from "pino";
import type { Log } from "./log.ts";

/** From the most to the least said. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Log over pino: one JSON line an event on standard error, written synchronously so that a crash loses none.
 * @param bindings  fields on every line: role, member
 */
export function pinoLog(level: LogLevel, bindings: { readonly [field: string]: string }): Log {
  const logger = pino(
    { level, base: bindings, timestamp: pino.stdTimeFunctions.isoTime, messageKey: "event" },
    pino.destination({ fd: 2, sync: true }),
  );
  return {
    debug: (event, fields) => logger.debug(fields ?? {}, event),
    info: (event, fields) => logger.info(fields ?? {}, event),
    warn: (event, fields) => logger.warn(fields ?? {}, event),
    error: (event, fields) => logger.error(fields ?? {}, event),
  };
}
