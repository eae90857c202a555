/** Child process of the crash tests: stores until it is killed, and says what was acknowledged. */
import { writeSync } from "node:fs";
import { utf8 } from "../../base/bytes.ts";
import { systemRandomness } from "../../base/randomness.ts";
import { openFileArtifacts } from "../file/artifact-store.ts";
import { openLedger } from "../open-ledger.ts";
import { openSqliteRows } from "../sqlite/ledger-rows.ts";
import { patternBytes, testFederation, testSealer } from "./storage-fixture.ts";

const EVENTS_PER_APPEND = 3;
const ARTIFACT_BYTES = 3 * 1024 * 1024;

/** One line to the parent, before anything else can happen. */
const acknowledge = (line: string) => writeSync(1, `${line}\n`);

async function appendForever(file: string): Promise<never> {
  const sealer = testSealer();
  const rows = await openSqliteRows(file);
  const ledger = await openLedger({ rows, sealer, federationId: testFederation });
  for (let { seq } = await ledger.head(); ; ) {
    const events = Array.from({ length: EVENTS_PER_APPEND }, (_, i) =>
      utf8(`event ${seq + 1 + i} ${"x".repeat(500)}`),
    );
    const head = await ledger.append(seq, events);
    seq = head.seq;
    acknowledge(`${head.seq} ${head.hash}`);
  }
}

async function putForever(dir: string): Promise<never> {
  const given = { dir, sealer: testSealer(), randomness: systemRandomness };
  const store = await openFileArtifacts(given);
  for (let seed = 1; ; seed += 1) {
    const { digest } = await store.put("model", patternBytes(ARTIFACT_BYTES, seed));
    acknowledge(digest);
  }
}

const [, , what, where = ""] = process.argv;
void (what === "append" ? appendForever(where) : putForever(where));
