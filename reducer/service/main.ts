import { runRole } from "../../lib/base/role-process.ts";
import { readConfig, USAGE } from "./config.ts";
import { startReducer } from "./reducer.ts";

void runRole({ role: "reducer", usage: USAGE, readConfig, start: startReducer });
