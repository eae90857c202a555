import { expect, test } from "vitest";
import { formatAddress, formatTarget, parseAddress } from "../address.ts";

test.each([
  ["reducer:7400", { host: "reducer", port: 7400 }, "dns:reducer:7400"],
  ["a.example.org:1", { host: "a.example.org", port: 1 }, "dns:a.example.org:1"],
  ["127.0.0.1:65535", { host: "127.0.0.1", port: 65535 }, "ipv4:127.0.0.1:65535"],
  ["[::1]:7400", { host: "::1", port: 7400 }, "ipv6:[::1]:7400"],
])("%s is an address", (text, address, target) => {
  expect(parseAddress(text)).toEqual(address);
  expect(formatAddress(address)).toBe(text);
  expect(formatTarget(address)).toBe(target);
});

test.each([
  "",
  "reducer",
  ":7400",
  "reducer:",
  "reducer:0",
  "reducer:65536",
  "reducer:74 00",
  "::1:7400",
  "[reducer]:7400",
  "[::1]",
  "unix:/run/socket",
  "unix:7400:1",
  "xds:///x:1",
  "a b:1",
  "-a:1",
  "http://a:1",
  `${"a".repeat(254)}:1`,
  "a:1\n",
])("%j is none", (text) => {
  expect(() => parseAddress(text)).toThrowError(expect.objectContaining({ code: "bad-address" }));
});
