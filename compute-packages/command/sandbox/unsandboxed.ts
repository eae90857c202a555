/** No sandbox, for data owners who say so: limits of the kernel only, with everything of this user's within reach. */
import { confined } from "./confine.ts";
import type { Sandbox } from "./sandbox.ts";

/** Wants prlimit. Paths inside are those outside: whoever makes the job has to know. */
export const dangerouslyUnsandboxed: Sandbox = {
  kind: "none",
  invocation: (job) => {
    const [file = "prlimit", ...args] = confined(job);
    return { file, args };
  },
};
