import { createSocket } from "node:dgram";
import type { AddressInfo } from "node:net";

/** What a name server of the tests says: addresses, no such name, or nothing at all. */
export type NameAnswer = readonly string[] | "unknown" | "silence";

export interface NameServer {
  /** In the form that resolvers take. */
  readonly address: string;
  /** Names and types that were asked for. */
  readonly asked: string[];
  close(): void;
}

const TYPE_A = 1;
const TYPE_AAAA = 28;

/** Sixteen bytes of an IPv6 address in full form, four of an IPv4 address. */
function bytesOf(address: string): Buffer {
  if (!address.includes(":")) return Buffer.from(address.split(".").map(Number));
  return Buffer.from(
    address
      .split(":")
      .map((part) => part.padStart(4, "0"))
      .join(""),
    "hex",
  );
}

/**
 * A name server on the loopback (RFC 1035, one question, no compression but of the name asked for). IPv6 addresses are
 * given in full, with eight parts.
 */
export async function startNameServer(
  answer: (name: string, type: "A" | "AAAA") => NameAnswer,
): Promise<NameServer> {
  const asked: string[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at]!; length > 0; length = query[at]!) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const type = query.readUInt16BE(at + 1);
    const word = type === TYPE_A ? "A" : "AAAA";
    const name = labels.join(".").toLowerCase();
    asked.push(`${name} ${word}`);
    const said = type === TYPE_A || type === TYPE_AAAA ? answer(name, word) : "unknown";
    if (said === "silence") return;
    const records = said === "unknown" ? [] : said.map(bytesOf);
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(said === "unknown" ? 0x8183 : 0x8180, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    head.writeUInt32BE(0, 8);
    const bodies = records.map((bytes) => {
      const record = Buffer.alloc(12);
      record.writeUInt16BE(0xc00c, 0);
      record.writeUInt16BE(type, 2);
      record.writeUInt16BE(1, 4);
      record.writeUInt16BE(bytes.length, 10);
      return Buffer.concat([record, bytes]);
    });
    socket.send(Buffer.concat([head, query.subarray(12, at + 5), ...bodies]), from.port, from.address);
  });
  await new Promise<void>((done) => socket.bind(0, "127.0.0.1", done));
  return {
    address: `127.0.0.1:${(socket.address() as AddressInfo).port}`,
    asked,
    close: () => void socket.close(),
  };
}
