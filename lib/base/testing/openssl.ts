/** The OpenSSL command line as a second opinion on what we write; tests skip where it is not installed. */
import { spawnSync } from "node:child_process";

/**
 * Runs `openssl` and gives what it says, on both of its outputs: verdicts go to standard error.
 * @throws if it ends with another status than 0
 */
export function openssl(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl ${args[0]} ended with ${status}: ${stderr}`);
  return `${stdout}${stderr}`;
}

/** Whether OpenSSL 3 is on the path. */
export const hasOpenssl: boolean = (() => {
  try {
    return openssl("version").startsWith("OpenSSL 3");
  } catch {
    return false;
  }
})();
