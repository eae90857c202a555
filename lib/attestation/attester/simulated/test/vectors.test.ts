/** Written again from its parts, real evidence comes out byte for byte. */
import { describe, expect, test } from "vitest";
import { toDer } from "../../../../base/der-writer.ts";
import { parsePemChain } from "../../../encoding/pem.ts";
import { parseCertificate } from "../../../endorsements/certificate.ts";
import { readSgxExtension, SGX_EXTENSION } from "../../../endorsements/sgx-extension.ts";
import { readSnpSigner } from "../../../endorsements/vcek.ts";
import { parseQuote, type Quote } from "../../../evidence/quote.ts";
import { readTcb } from "../../../evidence/snp-tcb.ts";
import { hasTestdata, readTestdata } from "../../../testing/testdata.ts";
import {
  certificationPart,
  type QuoteBodyKind,
  signedPart,
  writeQuote,
} from "../formats/quote-writer.ts";
import { sgxExtension } from "../formats/sgx-extension-writer.ts";
import { writeSgxReport } from "../formats/sgx-report-writer.ts";
import { writeTdReport } from "../formats/td-report-writer.ts";
import { snpSignerExtensions } from "../formats/vcek-extension-writer.ts";

const QUOTES = [
  "sgx/v3-phala-00a067110000.bin",
  "sgx/v3-tlsn-quotedev-00906ed50000.bin",
  "tdx/v4-phala-b0c06f000000.bin",
  "tdx/v4-cos113-00806f050000.bin",
  "tdx/v5-phala-outdated-90c06f000000.bin",
  "tdx/v5-oe-seamldr-90c06f000000.bin",
  "tdx/v5-alibaba-servicetd-90c06f000000.bin",
];

describe.skipIf(!hasTestdata)("written again from its parts (needs ../shared/testdata)", () => {
  test.each(QUOTES)("%s is the same quote", (file) => {
    const bytes = readTestdata(file);
    const quote = parseQuote(bytes);
    const written = rewrite(quote, bytes);
    expect(Buffer.from(written)).toEqual(
      Buffer.from(bytes.subarray(0, bytes.byteLength - quote.paddingBytes)),
    );
  });

  test.each(QUOTES)("the platform of %s is certified in the same bytes", (file) => {
    const { data } = parseQuote(readTestdata(file)).quotingEnclave.certification;
    const pck = parseCertificate(parsePemChain(data)[0]!);
    const platform = readSgxExtension(pck);
    const { platformInstanceId, dynamicPlatform, cachedKeys, smtEnabled } = platform;
    const value = pck.extensions.get(SGX_EXTENSION)!.value;
    const { value: written } = sgxExtension({
      ...platform,
      components: platform.componentSvns,
      cpuSvn: cpuSvnOf(value),
      ...(platformInstanceId && {
        instance: {
          id: platformInstanceId,
          dynamicPlatform: dynamicPlatform!,
          cachedKeys: cachedKeys!,
          smtEnabled: smtEnabled!,
        },
      }),
    });
    expect(derOf(written)).toEqual(Buffer.from(value));
  });

  test.each([
    "snp/milan-v5-gcp-teekit-vcek.der",
    "snp/milan-v3-vlek-trustee-vlek.der",
    "snp/turin-vcek.der",
  ])("%s certifies its chip in the same bytes", (file) => {
    const certificate = parseCertificate(readTestdata(file));
    const { product, productName, tcb, hardwareId, cloudProvider } = readSnpSigner(certificate);
    const written = snpSignerExtensions({
      product,
      productName,
      tcb: readTcb(tcb, product),
      holder:
        hardwareId === undefined
          ? { kind: "vlek", cloudProvider: cloudProvider! }
          : { kind: "vcek", hardwareId },
    });
    const real = [...certificate.extensions].map(([oid, { critical, value }]) => [
      oid,
      critical,
      Buffer.from(value),
    ]);
    expect(written.map(({ oid, critical, value }) => [oid, critical, derOf(value)])).toEqual(real);
  });
});

function rewrite(quote: Quote, bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { body, version, quotingEnclave } = quote;
  const kind: QuoteBodyKind =
    body.tee === "sgx" ? "sgx" : body.report.measurements.mrServiceTd ? "td-1.5" : "td-1.0";
  const header = {
    version,
    body: kind,
    qeSvn: view.getUint16(8, true),
    pceSvn: view.getUint16(10, true),
    qeVendorId: quote.qeVendorId,
    userData: bytes.subarray(28, 48),
  };
  const written =
    body.tee === "sgx"
      ? sgxReport(body.report)
      : writeTdReport(
          {
            ...body.report.measurements,
            reportData: body.report.reportData,
            ...(kind === "td-1.5" && { teeTcbSvn2: quote.toBeSigned.subarray(638, 654) }),
          },
          kind === "td-1.5" ? "1.5" : "1.0",
        );
  const certification = certificationPart(version, {
    attestationKey: quote.attestationKey,
    report: sgxReport(quotingEnclave.report),
    reportSignature: quotingEnclave.signature,
    authenticationData: quotingEnclave.authData,
    certificationType: 5,
    certificationData: quotingEnclave.certification.data,
  });
  return writeQuote(signedPart(header, written), quote.signature, certification);
}

const sgxReport = ({
  measurements,
  cpuSvn,
  reportData,
}: Extract<Quote["body"], { tee: "sgx" }>["report"]): Uint8Array =>
  writeSgxReport({ ...measurements, cpuSvn, reportData });

/** After its OID 1.2.840.113741.1.13.1.2.18. */
function cpuSvnOf(extension: Uint8Array): Uint8Array {
  const oid = Buffer.from("060b2a864886f84d010d0102120410", "hex");
  const start = Buffer.from(extension).indexOf(oid) + oid.byteLength;
  return extension.subarray(start, start + 16);
}

const derOf = (value: Parameters<typeof toDer>[0] | Uint8Array): Buffer =>
  Buffer.from(value instanceof Uint8Array ? value : toDer(value));
