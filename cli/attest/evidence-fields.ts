/** Evidence as a list of fields for people, verified or not. */
import type { Quote } from "../../lib/attestation/evidence/quote.ts";
import type { RaTlsCertificate } from "../../lib/attestation/evidence/ra-tls-certificate.ts";
import type { SnpReport } from "../../lib/attestation/evidence/snp-report.ts";
import { productOfReport } from "../../lib/attestation/evidence/snp-tcb.ts";
import { toHex } from "../../lib/base/bytes.ts";
import { digestOf } from "../../lib/base/ids.ts";
import { printable } from "../../lib/base/refusal.ts";
import { formatInstant } from "../rendering/units.ts";
import type { EvidenceFile } from "./evidence-file.ts";
import { type Field, isZero, sgxFields, snpFields, tdxFields } from "./measurement-fields.ts";
import { describePlatform } from "./quote-platform.ts";

/** What kind of evidence it is, then what it says, most telling first. */
export function evidenceFields(evidence: EvidenceFile): Field[] {
  switch (evidence.kind) {
    case "quote":
      return [["evidence", quoteTitle(evidence.quote)], ...quoteFields(evidence.quote)];
    case "snp-report":
      return snpReportFields(evidence.report);
    case "ra-tls":
      return raTlsFields(evidence.raTls);
  }
}

const quoteTitle = ({ version, body }: Quote): string =>
  `${body.tee.toUpperCase()} quote, version ${version}`;

function quoteFields(quote: Quote): Field[] {
  const { body, reportData, quotingEnclave, paddingBytes } = quote;
  const { certification } = quotingEnclave;
  return [
    ...(body.tee === "sgx"
      ? sgxFields(body.report.measurements)
      : tdxFields(body.report.measurements)),
    ["report data", toHex(reportData)],
    ["platform", describePlatform(quote)],
    ["certification data", `type ${certification.type}, ${certification.data.byteLength} bytes`],
    ["padding", paddingBytes === 0 ? undefined : `${paddingBytes} zero bytes`],
  ];
}

function snpReportFields(report: SnpReport): Field[] {
  const { chipId, cpu } = report;
  return [
    ["evidence", `SEV-SNP report, version ${report.version}`],
    ...snpFields(report.measurements),
    ["report data", toHex(report.reportData)],
    ["product", productOfReport(report) ?? (cpu && `unknown, family ${cpu.family}`)],
    ["chip id", isZero(chipId) ? "masked" : toHex(chipId)],
    ["signed with", String(report.signingKey).toUpperCase()],
    ["reported TCB", toHex(report.reportedTcb)],
    ["committed TCB", toHex(report.committedTcb)],
    ["launch TCB", toHex(report.launchTcb)],
    ["platform info", `0x${report.platformInfo.toString(16)}`],
  ];
}

function raTlsFields({ certificate, evidence, found }: RaTlsCertificate): Field[] {
  const { commonName, notBeforeMs, notAfterMs, publicKeyDer, publicKeyKind } = certificate;
  const isRead = evidence.kind === "tcg-dice" || evidence.kind === "gramine-legacy";
  const claims = evidence.kind === "tcg-dice" ? evidence.claims : undefined;
  const others = claims?.otherNames ?? [];
  const quoted = isRead ? `, ${quoteTitle(evidence.quote)}` : "";
  return [
    ["evidence", `RA-TLS certificate${quoted}`],
    ["carries", found.join(", ") || "no evidence"],
    ["subject", commonName && printable(commonName)],
    ["dates", `${formatInstant(notBeforeMs)} to ${formatInstant(notAfterMs)}`],
    ["key", `${publicKeyKind}, SHA-256 ${digestOf(publicKeyDer)}`],
    ["nonce", claims?.nonce && toHex(claims.nonce)],
    ["other claims", printable(others.join(", "))],
    ...(isRead ? quoteFields(evidence.quote) : []),
  ];
}
