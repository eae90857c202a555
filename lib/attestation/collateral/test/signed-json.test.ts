import fc from "fast-check";
import { expect, test } from "vitest";
import { utf8 } from "../../../base/bytes.ts";
import { EvidenceError } from "../../evidence-error.ts";
import { cutSignedJson } from "../signed-json.ts";
import { signed } from "../testing/pcs-server.ts";
import { sampleTcbInfo } from "../testing/sample-collateral.ts";

const SIGNATURE = new Uint8Array(64).fill(7);
const MALFORMED = expect.objectContaining({ code: "malformed-collateral" });
const cut = (body: string) => cutSignedJson(utf8(body), "tcbInfo");

test("the text is cut out exactly, whatever brackets, quotes and keys stand in it", () => {
  const text = sampleTcbInfo("00906ed50000");
  expect(cut(signed("tcbInfo", text, SIGNATURE))).toEqual({ text, signature: SIGNATURE });
});

test("white space around, other members and their order are passed over", () => {
  const hex = "07".repeat(64).toUpperCase();
  const body = ` {\n "extra": [{"tcbInfo":1}] , "signature"\t: "${hex}" ,"tcbInfo" :\n{ "a" : 1 }\n, "x":null} `;
  expect(cut(body)).toEqual({ text: '{ "a" : 1 }', signature: SIGNATURE });
});

test("any JSON value comes back as it was written, compact or spread", () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(2), (json, indent) => {
      const text = JSON.stringify(JSON.parse(json), null, indent);
      expect(cut(signed("tcbInfo", text, SIGNATURE)).text).toBe(text);
    }),
  );
});

const good = signed("tcbInfo", '{"a":1}', SIGNATURE);
test.each([
  ["no JSON", "<html>login</html>"],
  ["an array", `[${good}]`],
  ["no document", good.replace("tcbInfo", "enclaveIdentity")],
  ["two documents", good.replace("{", '{"tcbInfo":{"b":2},')],
  ["two documents, one in disguise", good.replace("{", '{"tcb\\u0049nfo":{"b":2},')],
  ["no signature", good.replace("signature", "sig")],
  ["a signature that is too short", good.replace('"07', '"')],
  ["a signature that is not hex", good.replace('"07', '"zz')],
  ["a byte order mark", `\ufeff${good}`],
  ["something behind it", `${good}x`],
])("%s is refused", (_what, body) => {
  expect(() => cut(body)).toThrow(MALFORMED);
});

test("an answer that is cut at any byte is refused", () => {
  for (let end = 0; end < good.length; end += 1) {
    expect(() => cut(good.slice(0, end))).toThrow(EvidenceError);
  }
});

test("bytes that are no UTF-8 are refused", () => {
  const body = utf8(good);
  body[good.indexOf("a")] = 0xff;
  expect(() => cutSignedJson(body, "tcbInfo")).toThrow(/UTF-8/);
});
