import { once } from "node:events";
import tls from "node:tls";
import { afterEach, expect, test } from "vitest";
import { certificatePem } from "../../base/certificate.ts";
import type { Name, Role } from "../../base/ids.ts";
import { generateSigningKey } from "../../base/keys.ts";
import type { CertifiedKey } from "../member-certificate.ts";
import { joiningKey, selfSignedIdentity, verifyMemberCertificate } from "../member-certificate.ts";
import { testAuthority } from "../testing/test-authority.ts";

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

test.each(["client", "combiner", "admin"] as const)(
  "reducer and %s authenticate each other in TLS 1.3 with OpenSSL's own checks on",
  async (role) => {
    const { authority, trust } = testAuthority(Date.now());
    const key = generateSigningKey();
    const { socket, peer } = await handshake(member("reducer", "reducer", generateSigningKey()), {
      ...member(role, "hospital-a", key),
    });
    expect(socket.authorized).toBe(true);
    expect(socket.getProtocol()).toBe("TLSv1.3");
    const seen = verifyMemberCertificate(certificateOf(peer), trust, authority.nowMs);
    expect(seen).toMatchObject({ role, member: "hospital-a", spkiDigest: key.spkiDigest });
    const server = verifyMemberCertificate(certificateOf(socket), trust, authority.nowMs);
    expect(server.role).toBe("reducer");

    function member(of: Role, name: string, signingKey = key): CertifiedKey {
      const issued = authority.issueCertificate({
        role: of,
        member: name as Name,
        publicKeyDer: signingKey.publicKeyDer,
        untrustedNowMs: authority.nowMs,
      });
      return { privateKey: signingKey.privateKey, certificateChain: issued.certificateChain };
    }
    async function handshake(serving: CertifiedKey, calling: CertifiedKey) {
      return connectLoopback(serving, calling, certificatePem(trust.caCertificate));
    }
  },
);

test.each(["client", "admin"] as const)(
  "OpenSSL refuses to be served by the certificate of role %s",
  async (role) => {
    const { authority, trust } = testAuthority(Date.now());
    const key = generateSigningKey();
    const issued = authority.issueCertificate({
      role,
      member: "mallory" as Name,
      publicKeyDer: key.publicKeyDer,
      untrustedNowMs: authority.nowMs,
    });
    const serving = { privateKey: key.privateKey, certificateChain: issued.certificateChain };
    await expect(
      connectLoopback(serving, serving, certificatePem(trust.caCertificate)),
    ).rejects.toThrow(/certificate purpose/);
  },
);

test("a self-signed certificate proves its key in TLS and is authorized for nothing", async () => {
  const { authority, trust } = testAuthority(Date.now());
  const reducer = generateSigningKey();
  const issued = authority.issueCertificate({
    role: "reducer",
    member: "reducer" as Name,
    publicKeyDer: reducer.publicKeyDer,
    untrustedNowMs: authority.nowMs,
  });
  const joining = generateSigningKey();
  const { peer } = await connectLoopback(
    { privateKey: reducer.privateKey, certificateChain: issued.certificateChain },
    selfSignedIdentity(joining.privateKey),
    certificatePem(trust.caCertificate),
  );
  expect(peer.authorized).toBe(false);
  expect(joiningKey(certificateOf(peer)).spkiDigest).toBe(joining.spkiDigest);
});

async function connectLoopback(serving: CertifiedKey, calling: CertifiedKey, ca: string) {
  const server = tls.createServer({
    ...credentials(serving),
    ca,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
  });
  open.push(server);
  const accepted = once(server, "secureConnection");
  accepted.catch(() => undefined);
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const socket = tls.connect({
    ...credentials(calling),
    ca,
    host: "127.0.0.1",
    port,
    checkServerIdentity: () => undefined,
  });
  open.push({ close: () => socket.destroy() });
  await once(socket, "secureConnect");
  const [peer] = (await accepted) as [tls.TLSSocket];
  open.push({ close: () => peer.destroy() });
  return { socket, peer };
}

function credentials(identity: CertifiedKey): tls.SecureContextOptions {
  return {
    key: identity.privateKey.export({ type: "pkcs8", format: "pem" }),
    cert: identity.certificateChain.map(certificatePem).join(""),
  };
}

function certificateOf(socket: tls.TLSSocket) {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw new Error("the peer showed no certificate");
  return certificate;
}
