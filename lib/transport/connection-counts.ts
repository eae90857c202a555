/** How many connections there are of each kind, so that one kind or one address cannot take every place. */
import type { ConnectionLimits } from "./limits.ts";
import type { Peer } from "./peer.ts";

/** The place of one connection, from TCP accept to its end. */
export type ConnectionPlace = {
  /** Moves from the unverified to the peer's kind; false, and still unverified, if that is full. */
  readonly verified: (peer: Peer) => boolean;
  /** Gives the place back; harmless when repeated. */
  readonly leave: () => void;
};

/** Who holds how many connections, by address and by key, against ConnectionLimits. */
export class ConnectionCounts {
  readonly #limits: ConnectionLimits;
  readonly #counts = new Map<string, number>();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** A place for a connection from this address, or undefined if there is none. */
  enter(address: string): ConnectionPlace | undefined {
    const { total, unverified, unverifiedPerAddress } = this.#limits;
    if (!this.#take([["total", total]])) return undefined;
    const initial: Claim[] = [
      ["unverified", unverified],
      [`unverified from ${address}`, unverifiedPerAddress],
    ];
    if (!this.#take(initial)) {
      this.#give([["total", total]]);
      return undefined;
    }
    let held: readonly Claim[] = [["total", total], ...initial];
    return {
      verified: (peer) => {
        const claims = this.#claimsOf(peer, address);
        if (!this.#take(claims)) return false;
        this.#give(initial);
        held = [["total", total], ...claims];
        return true;
      },
      leave: () => {
        this.#give(held);
        held = [];
      },
    };
  }

  #claimsOf(peer: Peer, address: string): Claim[] {
    const { joining, joiningPerAddress, perMember } = this.#limits;
    if (peer.kind === "member") return [[`key ${peer.spkiDigest}`, perMember]];
    return [
      ["joining", joining],
      [`joining from ${address}`, joiningPerAddress],
    ];
  }

  /** All of the claims or none. */
  #take(claims: readonly Claim[]): boolean {
    if (claims.some(([what, limit]) => (this.#counts.get(what) ?? 0) >= limit)) return false;
    for (const [what] of claims) this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
    return true;
  }

  #give(claims: readonly Claim[]): void {
    for (const [what] of claims) {
      const left = (this.#counts.get(what) ?? 1) - 1;
      if (left === 0) this.#counts.delete(what);
      else this.#counts.set(what, left);
    }
  }
}

/** What is counted, and how many there may be. */
type Claim = readonly [what: string, limit: number];
