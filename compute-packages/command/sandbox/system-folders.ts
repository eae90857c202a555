/** What of the system programs need: code and its settings, and nothing that belongs to anybody. */
import { existsSync, lstatSync, readlinkSync } from "node:fs";
import type { Mount } from "./sandbox.ts";

const TOP_LEVEL = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/** Debian's choice of BLAS, among others, is a link in /etc. */
const SETTINGS = [
  "/etc/alternatives",
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/localtime",
];
/** For downloads, which only the making of Python environments does. */
const NETWORK_SETTINGS = [
  "/etc/resolv.conf",
  "/etc/hosts",
  "/etc/nsswitch.conf",
  "/etc/ssl",
  "/etc/pki",
  "/etc/ca-certificates",
  "/etc/pip.conf",
];
export const DEVICES = ["null", "zero", "full", "random", "urandom"];

export type SystemFolders = {
  readonly mounts: readonly Mount[];
  /** Links at the top, such as /bin to usr/bin. */
  readonly links: readonly { readonly path: string; readonly target: string }[];
};

/** As this machine has them. */
export function systemFolders(hasNetwork: boolean): SystemFolders {
  const top = TOP_LEVEL.map((name) => `/${name}`).filter((each) => existsSync(each));
  const isLink = (path: string): boolean => lstatSync(path).isSymbolicLink();
  const settings = hasNetwork ? [...SETTINGS, ...NETWORK_SETTINGS] : SETTINGS;
  const folders = ["/usr", ...top.filter((each) => !isLink(each)), ...settings];
  return {
    mounts: folders
      .filter((each) => existsSync(each))
      .map((each) => ({ host: each, inside: each })),
    links: top.filter(isLink).map((each) => ({ path: each, target: readlinkSync(each) })),
  };
}
