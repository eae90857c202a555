/**
 * A sandbox out of util-linux alone: user, mount, network, process, IPC and UTS namespaces, a root made of what is
 * needed, and no privilege left once it stands.
 */
import { MAX_INODES } from "../limits.ts";
import { confined } from "./confine.ts";
import type { Invocation, Mount, Sandbox, SandboxJob } from "./sandbox.ts";
import { DEVICES, systemFolders } from "./system-folders.ts";

/**
 * Runs as root of the new namespaces, which is nobody outside of them. Mounts of a folder bring those beneath it, which
 * are made read-only one by one; flags of the host's that may not be taken away are given again.
 */
const BUILD_ROOT = `
set -eu
path=$PATH PATH=/usr/sbin:/usr/bin:/sbin:/bin
root=$1 bytes=$2 inodes=$3 pids=$4; shift 4
mount --make-rprivate /
mount -t tmpfs -o "size=$bytes,nr_inodes=$inodes,mode=755,nosuid,nodev" tmpfs "$root"
cd "$root"
mkdir dev etc old package proc tmp
put() {
  if [ -d "$1" ]; then mkdir -p ".$2"; else mkdir -p ".\${2%/*}"; : > ".$2"; fi
  mount --rbind "$1" ".$2"
}
seal() {
  while read -r _ at _; do
    at=$(printf %b "$at")
    case $at in
      "$root$1"|"$root$1"/*)
        mount -o remount,bind,ro,nosuid,nodev "$at" 2>/dev/null ||
          mount -o remount,bind,ro,nosuid,nodev,noexec "$at" ;;
    esac
  done < /proc/self/mounts
}
while [ "$1" != -- ]; do
  case $1 in
    link) ln -s "$3" ".$2" ;;
    ro) put "$2" "$3"; seal "$3" ;;
    rw) put "$2" "$3" ;;
  esac
  shift 3
done
shift
echo 'user:x:0:0::/tmp:/bin/sh' > etc/passwd
for device in ${DEVICES.join(" ")}; do
  : > "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
ln -s /proc/self/fd dev/fd
ln -s /tmp dev/shm
if mount -t proc -o nosuid,nodev,noexec proc proc 2>/dev/null; then
  echo 0 2>/dev/null > proc/sys/user/max_user_namespaces || true
  echo "$pids" 2>/dev/null > proc/sys/kernel/pid_max || true
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro,nosuid,nodev,noexec proc/sys
fi
mount --bind tmp tmp
mount --bind package package
pivot_root . old
umount -l /old
rmdir /old
mount -o remount,bind,ro,nosuid,nodev /
cd /
exec setpriv --bounding-set -all --inh-caps -all --no-new-privs env "PATH=$path" "$@"
`;

/** Numbers that the kernel wants to exist at least; from Linux 6.14 on the bound is the namespace's own, for root too. */
const RESERVED_PIDS = 301;
const NAMESPACES = ["--user", "--map-root-user", "--mount", "--pid", "--ipc", "--uts"];

/** Wants unshare, setpriv, prlimit, mount and pivot_root, and a kernel that lets users make namespaces. */
export const namespaces: Sandbox = {
  kind: "namespaces",
  invocation: (job: SandboxJob): Invocation => {
    const { mounts, links } = systemFolders(job.hasNetwork);
    const words = [
      ...links.flatMap(({ path, target }) => ["link", path, target]),
      ...[...mounts, ...job.readOnly].flatMap((each) => mountWords("ro", each)),
      ...job.writable.flatMap((each) => mountWords("rw", each)),
    ];
    const pids = RESERVED_PIDS + job.limits.processCount;
    const size = [String(job.limits.diskBytes), String(MAX_INODES), String(pids)];
    const network = job.hasNetwork ? [] : ["--net"];
    // Whoever started it may die without a word: the kernel then ends the first process, and with it all others.
    const args = ["--pdeathsig", "KILL", "--", "unshare", ...NAMESPACES, ...network, "--fork"];
    args.push("--kill-child=SIGKILL", "--", "sh", "-c", BUILD_ROOT, "sh", job.scratch, ...size);
    return { file: "setpriv", args: [...args, ...words, "--", ...confined(job)] };
  },
};

const mountWords = (how: string, { host, inside }: Mount): string[] => [how, host, inside];
