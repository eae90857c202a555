/** A sandbox by bubblewrap, where it is installed: distributions let it make namespaces that they refuse to others. */
import { confined } from "./confine.ts";
import { INSIDE, type Invocation, type Sandbox, type SandboxJob } from "./sandbox.ts";
import { systemFolders } from "./system-folders.ts";

/** Wants bwrap 0.8 or newer (sizes of tmpfs) and prlimit. */
export const bubblewrap: Sandbox = {
  kind: "bubblewrap",
  invocation: (job: SandboxJob): Invocation => {
    const { mounts, links } = systemFolders(job.hasNetwork);
    const size = String(job.limits.diskBytes);
    const args = ["--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL"];
    args.push("--die-with-parent", "--new-session");
    if (job.hasNetwork) args.push("--share-net");
    for (const { path, target } of links) args.push("--symlink", target, path);
    args.push("--proc", "/proc", "--dev", "/dev");
    for (const inside of ["/dev/shm", INSIDE.package, INSIDE.temporary]) {
      args.push("--size", size, "--tmpfs", inside);
    }
    for (const { host, inside } of [...mounts, ...job.readOnly])
      args.push("--ro-bind", host, inside);
    for (const { host, inside } of job.writable) args.push("--bind", host, inside);
    args.push("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--");
    return { file: "bwrap", args: [...args, ...confined(job)] };
  },
};
