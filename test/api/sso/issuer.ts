import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";

/** A key of an issuer. */
export interface IssuerKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

export async function makeKey(kid: string, alg = "ES256"): Promise<IssuerKey> {
  return { kid, alg, ...(await generateKeyPair(alg, { extractable: true })) };
}

/** An issuer on the loopback that signs whatever a test wants. */
export interface TestIssuer {
  readonly url: string;
  /** Keys that it publishes; a test may change them. */
  keys: IssuerKey[];
  /** Paths that were asked for. */
  readonly asked: string[];
  isDown: boolean;
  /** A token with sensible claims, each of which may be replaced or, with undefined, left out. */
  sign(claims?: object, header?: object, key?: IssuerKey): Promise<string>;
  close(): void;
}

/** Second since 1970 at which the driven clock of tests starts. */
export const NOW_SECONDS: number = Date.parse("2026-03-01T00:00:00Z") / 1000;

export async function startIssuer(): Promise<TestIssuer> {
  // the second is there to be refused: nobody allows its algorithm
  const keys = [await makeKey("first"), await makeKey("rsa", "RS256")];
  const state = { keys, isDown: false, asked: [] as string[] };
  const server = createServer((request, response) => {
    state.asked.push(request.url ?? "");
    if (state.isDown) {
      response.writeHead(503).end();
      return;
    }
    void (async () => {
      const jwks = await Promise.all(
        state.keys.map(
          async ({ kid, alg, publicKey }): Promise<JWK> => ({
            ...(await exportJWK(publicKey)),
            kid,
            alg,
            use: "sig",
          }),
        ),
      );
      const documents: Readonly<Record<string, object>> = {
        "/.well-known/openid-configuration": {
          issuer: url,
          jwks_uri: `${url}/jwks`,
          authorization_endpoint: `${url}/auth`,
          token_endpoint: `${url}/token`,
          response_types_supported: ["code"],
          subject_types_supported: ["public"],
          id_token_signing_alg_values_supported: ["ES256"],
        },
        "/jwks": { keys: jwks },
      };
      const found = documents[request.url ?? ""];
      response
        .writeHead(found === undefined ? 404 : 200, { "content-type": "application/json" })
        .end(JSON.stringify(found ?? {}));
    })();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer: Omit<TestIssuer, keyof typeof state> = {
    url,
    async sign(claims = {}, header = {}, key = state.keys[0]!) {
      return new SignJWT({
        iss: url,
        aud: "flare-api",
        sub: "alice",
        iat: NOW_SECONDS - 10,
        exp: NOW_SECONDS + 300,
        groups: ["ml-team"],
        ...claims,
      })
        .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "at+jwt", ...header })
        .sign(key.privateKey, { crit: { "x-ours": true } });
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return Object.assign(state, issuer);
}
