/** What is still called genuine after somebody has damaged a quote, or the endorsements that it is verified with. */
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import { parseQuote } from "../evidence/quote.ts";
import { EvidenceError } from "../evidence-error.ts";
import { verifyCollateral } from "../verification/verify-collateral.ts";
import { verifyQuote } from "../verification/verify-quote.ts";
import type { Damaged } from "./damage.ts";
import type { DcapScenario } from "./dcap-cases.ts";

/** Kinds of bytes that are damaged together: a name and the bytes as they are. */
export type DamagedSubject = {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Whether the damaged bytes are called genuine. @throws whatever is no EvidenceError */
  readonly isGenuine: (bytes: Uint8Array) => boolean;
};

/** The quote, under endorsements that are kept. */
export function quoteSubject({ bytes, collateral, anchors, nowMs }: DcapScenario): DamagedSubject {
  const kept = verifyCollateral(collateral, anchors, nowMs).collateral;
  if (kept === undefined) throw new Error("the endorsements do not verify");
  const isGenuine = (damaged: Uint8Array) =>
    unlessUnreadable(() => verifyQuote(parseQuote(damaged), kept, nowMs).claims !== undefined);
  return { name: "quote", bytes, isGenuine };
}

/** Each part of the endorsements. */
export function collateralSubjects(scenario: DcapScenario): readonly DamagedSubject[] {
  const { collateral, anchors, nowMs } = scenario;
  const isGenuine = (damaged: Partial<DcapCollateral>): boolean =>
    verifyCollateral({ ...collateral, ...damaged }, anchors, nowMs).collateral !== undefined;
  const parts = Object.entries(collateral).filter(([name]) => name !== "pckCertificateChain");
  return parts.map(([name, part]) =>
    typeof part === "string"
      ? {
          name,
          bytes: new Uint8Array(Buffer.from(part, "latin1")),
          isGenuine: (bytes) => isGenuine({ [name]: Buffer.from(bytes).toString("latin1") }),
        }
      : { name, bytes: part, isGenuine: (bytes) => isGenuine({ [name]: bytes }) },
  );
}

/** Parts of the endorsements of several machines, named with their machine; what two have in common stands once. */
export function distinctSubjects(
  scenarios: readonly (readonly [title: string, scenario: DcapScenario])[],
  subjectsOf: (scenario: DcapScenario) => readonly DamagedSubject[] = collateralSubjects,
): readonly DamagedSubject[] {
  const distinct = new Map<string, DamagedSubject>();
  for (const [title, scenario] of scenarios) {
    for (const subject of subjectsOf(scenario)) {
      const key = `${subject.name} ${Buffer.from(subject.bytes).toString("latin1")}`;
      const name = `${subject.name} of ${title}`;
      if (!distinct.has(key)) distinct.set(key, { ...subject, name });
    }
  }
  return [...distinct.values()];
}

/** Offsets at which damage went unnoticed. */
export function unnoticed(
  { isGenuine }: DamagedSubject,
  damages: Iterable<Damaged>,
): readonly number[] {
  const offsets: number[] = [];
  for (const { offset, bytes } of damages) if (isGenuine(bytes)) offsets.push(offset);
  return offsets;
}

/** What cannot be read is not genuine; any other error is a crash. */
export function unlessUnreadable(isGenuine: () => boolean): boolean {
  try {
    return isGenuine();
  } catch (error) {
    if (error instanceof EvidenceError) return false;
    throw error;
  }
}
