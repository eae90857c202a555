/** Where a peer listens, as people and messages write it. */
import { isIPv4, isIPv6 } from "node:net";
import { printable } from "../base/refusal.ts";
import { TransportError } from "./transport-error.ts";

export type Address = {
  /** Name, IPv4 or IPv6 address without brackets. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
};

const MAX_ADDRESS_LENGTH = 300;
const HOST_NAME = /^(?=.{1,253}$)[a-zA-Z0-9_](?:[a-zA-Z0-9_-]*[a-zA-Z0-9_])?(?:\.[a-zA-Z0-9_-]+)*$/;

/**
 * Parses "host:port" or "[IPv6]:port".
 * @throws TransportError "bad-address"
 */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(
    text.slice(0, MAX_ADDRESS_LENGTH + 1),
  );
  const [, bracketed, bare, portText = ""] = match ?? [];
  const port = Number(portText);
  const host = bracketed ?? bare ?? "";
  const hostIsGood = bracketed === undefined ? HOST_NAME.test(host) : isIPv6(host);
  if (!hostIsGood || port < 1 || port > 65_535 || text.length > MAX_ADDRESS_LENGTH) {
    throw new TransportError(
      "bad-address",
      `"${printable(text)}" is no address; write host:port, as in reducer.example.org:7400 or [2001:db8::1]:7400`,
    );
  }
  return { host, port };
}

/** "host:port", with brackets around IPv6. */
export const formatAddress = ({ host, port }: Address): string =>
  isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;

/** What grpc-js resolves: literal addresses never go through DNS. */
export function formatTarget(address: Address): string {
  const { host } = address;
  if (isIPv4(host)) return `ipv4:${formatAddress(address)}`;
  return `${isIPv6(host) ? "ipv6" : "dns"}:${formatAddress(address)}`;
}
