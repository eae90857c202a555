import { systemRandomness } from "../../lib/base/randomness.ts";
import { runRole } from "../../lib/base/role-process.ts";
import { readMemberHome } from "../../lib/transport/member-home.ts";
import { joinFederation } from "../../lib/transport/membership.ts";
import { startCombiner } from "./combiner.ts";
import { readConfig, USAGE } from "./config.ts";

void runRole({
  role: "combiner",
  usage: USAGE,
  readConfig,
  start: async (config, { clock, log, signal }) => {
    const randomness = systemRandomness;
    const home = await readMemberHome(config.home, "combiner");
    const membership = await joinFederation({ home, clock, randomness, log, signal });
    return startCombiner({ membership, config, clock, randomness, log });
  },
});
