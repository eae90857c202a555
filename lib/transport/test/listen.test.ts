import { afterEach, describe, expect, test } from "vitest";
import type { FederationId, Role } from "../../base/ids.ts";
import { generateSigningKey } from "../../base/keys.ts";
import { deviatingCertificate } from "../../provisioning/testing/deviating-certificate.ts";
import { testAuthority } from "../../provisioning/testing/test-authority.ts";
import type { ConnectOptions } from "../connect.ts";
import type { Handlers } from "../listen.ts";
import { openTls } from "../testing/hostile-client.ts";
import { stubHandlers } from "../testing/stub-handlers.ts";
import {
  joiningIdentity,
  type TestFederation,
  testFederation,
} from "../testing/test-federation.ts";
import type { TlsIdentity } from "../tls-identity.ts";

const OTHER_ID = `${"b".repeat(51)}q` as FederationId;

let federation = testFederation();
afterEach(async () => {
  await federation.close();
  federation = testFederation();
});

const attend: Handlers = {
  "Tasks.Attend": {
    callers: ["client"],
    handle: async (stream) => {
      while ((await stream.read()) !== undefined) await stream.write({ welcome: { version: 1 } });
    },
  },
};

/** The code of what a first message on Tasks.Attend meets; "welcome" if it is answered. */
async function attendOutcome(
  own: TlsIdentity,
  port: number,
  options: Partial<ConnectOptions> = {},
): Promise<string> {
  const stream = federation.connect({ port }, own, options).bidi("Tasks.Attend");
  try {
    await stream.write({ hello: { version: 1 } });
    return (await stream.read())?.kind ?? "end";
  } catch (error) {
    const { code, refusals } = error as { code?: string; refusals?: { code: string }[] };
    return refusals?.[0]?.code ?? code ?? String(error);
  }
}

describe("a listener for clients", () => {
  const other = (given: TestFederation) => testFederation(OTHER_ID, given.clock);
  test.each<[string, (given: TestFederation) => TlsIdentity, string]>([
    ["serves a client", (given) => given.identity("client", "c"), "welcome"],
    ["refuses a combiner", (given) => given.identity("combiner", "c"), "closed"],
    ["refuses a reducer", (given) => given.identity("reducer", "c"), "closed"],
    ["refuses an admin", (given) => given.identity("admin", "c"), "closed"],
    ["refuses a joining peer", () => joiningIdentity(), "closed"],
    [
      "refuses another federation's client",
      (given) => other(given).identity("client", "c"),
      "closed",
    ],
    [
      "refuses a client of another authority with this federation's name",
      (given) => testFederation(given.trust.federationId, given.clock).identity("client", "c"),
      "closed",
    ],
    ["refuses the authority itself", (given) => authorityAsPeer(given), "closed"],
  ])("%s", async (_what, identityOf, outcome) => {
    const listener = await federation.listen(attend);
    expect(await attendOutcome(identityOf(federation), listener.port)).toBe(outcome);
    expect(await attendOutcome(federation.identity("client", "good"), listener.port)).toBe(
      "welcome",
    );
  });

  test("refuses a peer without a certificate", async () => {
    const { host, port } = await federation.listen(attend);
    const socket = await openTls({ host, port });
    socket.resume();
    await new Promise((resolve) => socket.once("close", resolve));
    expect(socket.bytesRead).toBeLessThan(8192);
  });

  test("refuses an expired certificate, and one that is not valid yet", async () => {
    const listener = await federation.listen(attend, {
      identity: federation.identity("combiner", "combiner-1", { lifetimeMs: 20 * 3_600_000 }),
    });
    const short = federation.identity("client", "c", { lifetimeMs: 60_000 });
    await federation.clock.advance(61_000);
    expect(await attendOutcome(short, listener.port)).toBe("closed");
    await federation.clock.advance(10 * 3_600_000);
    const future = federation.identity("client", "c");
    const past = await federation.listen(attend, {
      clock: { ...federation.clock, untrustedNowMs: () => Date.UTC(2026, 0, 1) as never },
    });
    expect(await attendOutcome(future, past.port)).toBe("closed");
  });

  test("refuses TLS 1.2 and peers that do not speak HTTP/2", async () => {
    const { host, port } = await federation.listen(attend);
    const identity = federation.identity("client", "c");
    const old = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;
    await expect(openTls({ host, port, identity }, old)).rejects.toThrow();
    await expect(
      openTls({ host, port, identity }, { ALPNProtocols: ["http/1.1"] }),
    ).rejects.toThrow();
    const silent = await openTls({ host, port, identity }, { ALPNProtocols: [] });
    silent.resume();
    await new Promise((resolve) => silent.once("close", resolve));
  });
});

/** A self-signed certificate that says it is an authority, with a member's key. */
function authorityAsPeer(given: TestFederation): TlsIdentity {
  const authority = testAuthority(given.clock.untrustedNowMs());
  const key = generateSigningKey();
  const certificate = deviatingCertificate(authority.key, given.clock.untrustedNowMs(), {
    fields: { publicKeyDer: key.publicKeyDer },
  });
  return { privateKey: key.privateKey, certificateChain: [certificate, given.trust.caCertificate] };
}

describe("a caller that wants a combiner", () => {
  const expectations: [string, (given: TestFederation) => Partial<Served>, string][] = [
    ["talks to a combiner", () => ({}), "welcome"],
    [
      "talks to the combiner it named",
      () => ({ expect: { role: "combiner", member: "combiner-1" } }),
      "welcome",
    ],
    [
      "refuses another combiner",
      () => ({ expect: { role: "combiner", member: "combiner-2" } }),
      "wrong-peer",
    ],
    [
      "refuses another key",
      () => ({ expect: { role: "combiner", spkiDigest: "0".repeat(64) } }),
      "wrong-peer",
    ],
    ["refuses a reducer", (given) => ({ identity: given.identity("reducer", "r") }), "wrong-peer"],
    [
      "refuses a client's certificate",
      (given) => ({ identity: given.identity("client", "c") }),
      "wrong-peer",
    ],
    [
      "refuses an admin's certificate",
      (given) => ({ identity: given.identity("admin", "a") }),
      "wrong-peer",
    ],
    [
      "refuses a self-signed certificate",
      () => ({ identity: joiningIdentity() }),
      "not-issued-by-federation",
    ],
    [
      "refuses another federation's combiner",
      (given) => ({ identity: testFederation(OTHER_ID, given.clock).identity("combiner", "c") }),
      "not-issued-by-federation",
    ],
  ];
  type Served = { identity: TlsIdentity; expect: unknown };
  test.each(expectations)("%s", async (_what, deviation, outcome) => {
    const { identity, expect: wanted } = deviation(federation);
    const listener = await federation.listen(attend, identity ? { identity } : {});
    const options = (wanted ? { expect: wanted } : {}) as Partial<ConnectOptions>;
    const own = federation.identity("client", "c");
    expect(await attendOutcome(own, listener.port, options)).toBe(outcome);
  });

  test("refuses an expired one", async () => {
    const identity = federation.identity("combiner", "c", { lifetimeMs: 60_000 });
    const listener = await federation.listen(attend, { identity });
    const own = federation.identity("client", "c");
    await federation.clock.advance(61_000);
    expect(await attendOutcome(own, listener.port)).toBe("expired");
  });

  test("says that nobody is there", async () => {
    const own = federation.identity("client", "c");
    const listener = await federation.listen(attend);
    await listener.close(0);
    expect(await attendOutcome(own, listener.port)).toBe("unreachable");
  });
});

describe("a reducer's listener", () => {
  const ROLES: readonly (Role | "joining")[] = ["joining", "client", "combiner", "admin"];
  test.each(ROLES)("lets a %s peer call what is its own only", async (role) => {
    const listener = await federation.listen(stubHandlers(), { admitsJoining: true });
    const own = role === "joining" ? joiningIdentity() : federation.identity(role, "x");
    const connection = federation.connect(listener, own);
    const outcomes: Record<string, string> = {};
    for (const name of ["Provisioning.Join", "Assignments.Assign", "Members.List"] as const) {
      const call: Promise<unknown> = connection.unary(name, {});
      outcomes[name] = await call.then(
        () => "answered",
        (error) => error.refusals[0].code,
      );
    }
    expect(outcomes).toEqual({
      "Provisioning.Join": "answered",
      "Assignments.Assign": role === "client" ? "answered" : "caller-not-allowed",
      "Members.List": role === "admin" ? "answered" : "caller-not-allowed",
    });
  });

  test("gives the handler the key that TLS proved", async () => {
    const seen: unknown[] = [];
    const listener = await federation.listen(
      {
        "Provisioning.Join": {
          callers: ["joining", "client"],
          handle: async (_request, peer) => {
            seen.push(peer.kind, peer.spkiDigest, peer.kind === "member" && peer.member);
            return {};
          },
        },
      },
      { admitsJoining: true },
    );
    const key = generateSigningKey();
    const member = federation.identity("client", "hospital-a", { key });
    await federation.connect(listener, member).unary("Provisioning.Join", {});
    expect(seen).toEqual(["member", key.spkiDigest, "hospital-a"]);
  });
});

describe("a handler is not registered", () => {
  const handle = async () => ({});
  test.each<[string, Handlers, boolean]>([
    ["that nobody may call", { "Members.List": { callers: [], handle } }, true],
    ["for callers the rpc is not for", { "Members.List": { callers: ["client"], handle } }, true],
    [
      "for joining peers that are not admitted",
      { "Provisioning.Join": { callers: ["joining"], handle } },
      false,
    ],
  ])("%s", async (_what, handlers, admitsJoining) => {
    await expect(federation.listen(handlers, { admitsJoining })).rejects.toThrow(
      "broken invariant",
    );
  });
});

test("a port that is taken is said to be", async () => {
  const { port } = await federation.listen(attend);
  await expect(federation.listen(attend, { port })).rejects.toMatchObject({
    code: "cannot-listen",
  });
});
