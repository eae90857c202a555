/**
 * Parts of endorsements, each checked by itself: ten times as fast as with all the others, for tests that try every value
 * of every byte. That no part can hide what is wrong with another follows from how they are put together.
 */
import { parsePemChain } from "../encoding/pem.ts";
import { parseCertificate } from "../endorsements/certificate.ts";
import { parseCrl } from "../endorsements/crl.ts";
import { type KeyedCertificate, withPublicKey } from "../endorsements/keyed-certificate.ts";
import { parseQeIdentity } from "../endorsements/qe-identity.ts";
import { parseTcbInfo } from "../endorsements/tcb-info.ts";
import { PCK_CRL_CHAIN } from "../verification/chains/certificate-profile.ts";
import { type CrlObject, checkCrl } from "../verification/chains/check-revocation.ts";
import { checkCollateralChains } from "../verification/check-collateral-chains.ts";
import { checkSignedDocument, type SignedDocument } from "../verification/check-signed-document.ts";
import { Checklist } from "../verification/checklist.ts";
import type { DcapScenario } from "./dcap-cases.ts";
import { type DamagedSubject, unlessUnreadable } from "./dcap-damage.ts";

/** Every part, once, with its own check. */
export function loneSubjects(scenario: DcapScenario): readonly DamagedSubject[] {
  return [
    ...documentSubjects(scenario, "tcbInfo"),
    ...documentSubjects(scenario, "qeIdentity"),
    ...listSubjects(scenario),
    ...chainSubjects(scenario),
  ];
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

/** Whether a check finds nothing wrong. */
function holds(check: (checklist: Checklist) => void): boolean {
  const checklist = new Checklist();
  check(checklist);
  return checklist.refusals.length === 0;
}

const certificateAt = (pem: string, index: number): KeyedCertificate => {
  const der = parsePemChain(pem)[index];
  if (der === undefined) throw new Error("the chain is shorter");
  return withPublicKey(parseCertificate(der));
};

function documentSubjects(
  { collateral, nowMs }: DcapScenario,
  name: "tcbInfo" | "qeIdentity",
): readonly DamagedSubject[] {
  const signer = certificateAt(collateral[`${name}IssuerChain`], 0);
  const text = collateral[name];
  const signature = collateral[`${name}Signature`];
  const kind =
    name === "tcbInfo"
      ? ({ object: "tcb-info", title: name, parse: parseTcbInfo } as const)
      : ({ object: "qe-identity", title: name, parse: parseQeIdentity } as const);
  type Document = SignedDocument<ReturnType<typeof parseTcbInfo | typeof parseQeIdentity>>;
  const isGenuine = (change: Partial<Document>): boolean =>
    holds((checklist) => {
      const document: Document = { ...kind, text, signature, ...change };
      checkSignedDocument(checklist, document, signer, nowMs);
    });
  return [
    { name, bytes: bytesOf(text), isGenuine: (bytes) => isGenuine({ text: latin1(bytes) }) },
    {
      name: `${name}Signature`,
      bytes: signature,
      isGenuine: (bytes) => isGenuine({ signature: bytes }),
    },
  ];
}

function listSubjects({ collateral, nowMs }: DcapScenario): readonly DamagedSubject[] {
  const [caProfile, rootProfile] = PCK_CRL_CHAIN;
  const lists = [
    ["rootCaCrl", "root-crl", 1, rootProfile],
    ["pckCrl", "pck-crl", 0, caProfile],
  ] as const satisfies readonly (readonly [string, CrlObject, number, unknown])[];
  return lists.map(([name, object, place, profile]) => {
    const issuer = certificateAt(collateral.pckCrlIssuerChain, place);
    const isGenuine = (bytes: Uint8Array) =>
      unlessUnreadable(() =>
        holds((checklist) => {
          checkCrl(checklist, parseCrl(bytes), object, name, issuer, profile, nowMs);
        }),
      );
    return { name, bytes: collateral[name], isGenuine };
  });
}

function chainSubjects({ collateral, anchors, nowMs }: DcapScenario): readonly DamagedSubject[] {
  const rootCrl = parseCrl(collateral.rootCaCrl);
  const names = ["pckCrlIssuerChain", "tcbInfoIssuerChain", "qeIdentityIssuerChain"] as const;
  return names.map((name) => ({
    name,
    bytes: bytesOf(collateral[name]),
    isGenuine: (bytes) =>
      holds((checklist) => {
        const given = { ...collateral, [name]: latin1(bytes) };
        checkCollateralChains(checklist, given, rootCrl, anchors, nowMs);
      }),
  }));
}
