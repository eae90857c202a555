/** Knobs that follow from a list: every certificate and every dated object with every fault that it can have. */
import type { Tee } from "../../../verification/claims.ts";
import type {
  CertificateFault,
  CertificatePart,
  DatedObject,
  DatedObjectFault,
  VerificationCode,
} from "../../../verification/codes.ts";
import { DCAP_TEES, type Knob, type KnobAnswer, SNP_TEES } from "./knob.ts";

type Titled<Fault extends string> = {
  readonly title: string;
  readonly tees: readonly Tee[];
  readonly faults: readonly Fault[];
};

const OF_ANY: readonly CertificateFault[] = [
  "not-yet-valid",
  "expired",
  "signature-invalid",
  "issuer-mismatch",
  "wrong-name",
  "wrong-profile",
];
const AUTHORITY: readonly CertificateFault[] = [...OF_ANY, "revoked", "not-a-ca"];

/**
 * Left out is what another knob does in a way of its own: PCK CA and TCB signer have the wrong name, and the PCK CA
 * another issuer, where somebody else takes their place; an ARK of another name is the root of no product. Nobody
 * revokes Intel's root but whoever configured it, and AMD lists no leafs, so that a VCEK cannot be revoked.
 */
const CERTIFICATES: Readonly<Record<CertificatePart, Titled<CertificateFault>>> = {
  root: {
    title: "root",
    tees: DCAP_TEES,
    faults: AUTHORITY.filter((fault) => fault !== "revoked"),
  },
  "pck-ca": {
    title: "PCK CA",
    tees: DCAP_TEES,
    faults: AUTHORITY.filter((fault) => fault !== "wrong-name" && fault !== "issuer-mismatch"),
  },
  pck: { title: "PCK", tees: DCAP_TEES, faults: [...OF_ANY, "revoked", "is-a-ca"] },
  "tcb-signing": {
    title: "TCB signing",
    tees: DCAP_TEES,
    faults: [...OF_ANY.filter((fault) => fault !== "wrong-name"), "revoked", "is-a-ca"],
  },
  ark: {
    title: "ARK",
    tees: SNP_TEES,
    faults: AUTHORITY.filter((fault) => fault !== "wrong-name"),
  },
  ask: { title: "ASK", tees: SNP_TEES, faults: AUTHORITY },
  vcek: { title: "VCEK", tees: SNP_TEES, faults: [...OF_ANY, "is-a-ca"] },
};

const CERTIFICATE_SENTENCES: Readonly<Record<CertificateFault, string>> = {
  "not-yet-valid": "begins years from now",
  expired: "ended before its root was made",
  revoked: "is on the revocation list of its issuer",
  "signature-invalid": "has one bit of its signature flipped",
  "issuer-mismatch": "names an issuer that is not the one above it",
  "not-a-ca": "issues others, but its basic constraints say that it is no authority",
  "is-a-ca": "says that it may issue others",
  "wrong-name": "has another common name than its role",
  "wrong-profile": "has a critical extension that nobody knows",
};

const OF_ANY_OBJECT: readonly DatedObjectFault[] = [
  "malformed",
  "not-yet-valid",
  "expired",
  "signature-invalid",
];
const LIST: readonly DatedObjectFault[] = [...OF_ANY_OBJECT, "issuer-mismatch", "rolled-back"];
const DOCUMENT: readonly DatedObjectFault[] = [...OF_ANY_OBJECT, "rolled-back", "wrong-tee"];

const OBJECTS: Readonly<Record<DatedObject, Titled<DatedObjectFault>>> = {
  "root-crl": { title: "root's list", tees: DCAP_TEES, faults: LIST },
  "pck-crl": { title: "PCK CA's list", tees: DCAP_TEES, faults: LIST },
  "ark-crl": { title: "ARK's list", tees: SNP_TEES, faults: LIST },
  "tcb-info": { title: "TCB info", tees: DCAP_TEES, faults: DOCUMENT },
  "qe-identity": { title: "QE identity", tees: DCAP_TEES, faults: DOCUMENT },
};

const OBJECT_SENTENCES: Readonly<Record<DatedObjectFault, string>> = {
  malformed: "cannot be read",
  "not-yet-valid": "begins tomorrow",
  expired: "ended a month ago",
  "signature-invalid": "is not what was signed",
  "issuer-mismatch": "names an issuer that is not the one asked",
  "rolled-back": "has a lower number than the one before",
  "wrong-tee": "is for the other TEE",
};

/** What else goes wrong with them. */
const BESIDES: Readonly<Partial<Record<VerificationCode, readonly VerificationCode[]>>> = {
  // What AMD certifies of a key depends on whose key the name says it is.
  "vcek-wrong-name": ["vcek-wrong-profile"],
  "tcb-info-wrong-tee": ["qe-identity-wrong-tee", "tcb-level-not-found", "tdx-module-unknown"],
  "qe-identity-wrong-tee": ["qe-prodid-mismatch"],
};

const refusedAs = (code: VerificationCode): KnobAnswer => {
  const besides = BESIDES[code];
  return { by: "verifier", code, ...(besides && { besides }) };
};

/** Two tables multiplied; the code is always that of object and fault. */
export const FAULT_KNOBS: readonly Knob[] = [
  ...entries(CERTIFICATES).flatMap(([part, { title, tees, faults }]) =>
    faults.map(
      (fault): Knob => ({
        name: `${part}-${fault}`,
        about: `The ${title} certificate ${CERTIFICATE_SENTENCES[fault]}.`,
        tees,
        knobs: { faults: { certificates: { [part]: fault } } },
        answer: refusedAs(`${part}-${fault}`),
      }),
    ),
  ),
  ...entries(OBJECTS).flatMap(([object, { title, tees, faults }]) =>
    faults.map(
      (fault): Knob => ({
        name: `${object}-${fault}`,
        about: `The ${title} ${OBJECT_SENTENCES[fault]}.`,
        tees,
        knobs: { faults: { documents: { [object]: fault } } },
        answer:
          fault === "rolled-back"
            ? { by: "floor", code: `${object}-${fault}` }
            : refusedAs(`${object}-${fault}`),
      }),
    ),
  ),
];

function entries<Key extends string, Value>(
  table: Readonly<Record<Key, Value>>,
): readonly (readonly [Key, Value])[] {
  return Object.entries(table) as [Key, Value][];
}
