import { createHmac } from "node:crypto";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { makeSigningSecret, signatureHeaders } from "../../../api/hooks/message.ts";
import { compareKey, createSecretBox } from "../../../api/hooks/secret-box.ts";
import { createDrivenService, seededBytes } from "../driven-env.ts";

const random = { bytes: seededBytes(3) };

test("the published vector of Standard Webhooks", () => {
  const message = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: '{"test": 2432232314}' };
  const headers = signatureHeaders(message, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], 1_614_265_330_999);
  expect(headers).toEqual({
    "webhook-id": message.id,
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  });
});

test("signatures are HMAC-SHA256 of id, time and body, and the library accepts them with either secret", () => {
  const secrets = [makeSigningSecret(random), makeSigningSecret(random)];
  for (const body of ["{}", '{"text":"Grüße, 世界 🙂"}', "", "a.b.c"]) {
    const nowMs = Date.now();
    const headers = signatureHeaders({ id: "evt-7", body }, secrets, nowMs);
    const own = secrets.map((secret) => {
      const key = Buffer.from(secret.replace("whsec_", ""), "base64");
      expect(key).toHaveLength(32);
      return `v1,${createHmac("sha256", key)
        .update(`evt-7.${Math.floor(nowMs / 1000)}.${body}`)
        .digest("base64")}`;
    });
    expect(headers["webhook-signature"]).toBe(own.join(" "));
    const verify = (secret: string, text: string) =>
      new Webhook(secret).verify(text, headers, { jsonParse: false });
    for (const secret of secrets) expect(() => verify(secret, body)).not.toThrow();
    expect(() => verify(secrets[0]!, `${body} `)).toThrow();
    expect(() => verify(makeSigningSecret(random), body)).toThrow();
    const old = signatureHeaders({ id: "evt-7", body }, secrets, nowMs - 600_000);
    expect(() => new Webhook(secrets[0]!).verify(body, old, { jsonParse: false })).toThrow(/old/);
  }
});

test("a sealed secret opens with its key in its place alone, and says nothing", () => {
  const box = createSecretBox(random.bytes(32), random);
  const sealed = box.seal("whsec_abc", "whk-1");
  expect(sealed).not.toContain("abc");
  expect(box.seal("whsec_abc", "whk-1")).not.toBe(sealed);
  expect(box.open(sealed, "whk-1")).toBe("whsec_abc");
  expect(box.open(sealed, "whk-2")).toBeNull();
  expect(createSecretBox(random.bytes(32), random).open(sealed, "whk-1")).toBeNull();
  const bytes = [...sealed];
  for (let index = 0; index < bytes.length; index++) {
    const changed = bytes.with(index, bytes[index] === "A" ? "B" : "A").join("");
    // the last character of base64url has bits that mean nothing
    if (index < bytes.length - 1) expect(box.open(changed, "whk-1"), String(index)).toBeNull();
  }
  expect(() => createSecretBox(random.bytes(31), random)).toThrow(RangeError);
});

test("what was not sealed opens to nothing, and never throws", () => {
  const box = createSecretBox(random.bytes(32), random);
  const near = fc
    .tuple(fc.constantFrom("v1", "v2", ""), fc.constantFrom(box.keyId, "00"), fc.base64String())
    .map((parts) => parts.join("."));
  fc.assert(fc.property(fc.oneof(fc.string(), near), (text) => box.open(text, "whk-1") === null));
});

test("another key than the one that a database began with is noticed", async () => {
  const lines: object[] = [];
  const silent = { debug() {}, info() {}, warn() {}, error: (fields: object) => void lines.push(fields) };
  const { env } = await createDrivenService({ log: silent });
  const [first, second] = [1, 2].map(() => createSecretBox(random.bytes(32), random));
  for (const box of [first!, first!]) await compareKey(env, box);
  expect(lines).toEqual([]);
  await compareKey(env, second!);
  expect(lines).toEqual([{ key: second!.keyId, expected: first!.keyId }]);
});
