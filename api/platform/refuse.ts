import type { Socket } from "node:net";

const refusals: Readonly<Record<string, readonly [number, string, string]>> = {
  HPE_HEADER_OVERFLOW: [431, "Request Header Fields Too Large", "the headers are larger than 16 KiB"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "Request Timeout", "the request took too long to arrive"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "Content Too Large", "the chunk extensions are too large"],
};

/** Answers what is no HTTP in the words of the API, and hangs up. */
export function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [status, title, message] = refusals[error.code ?? ""] ?? [
    400,
    "Bad Request",
    "the request is not valid HTTP/1.1",
  ];
  const body = JSON.stringify({
    type: "urn:flare:problem:invalid-format",
    title: "Invalid format",
    status,
    detail: message,
    error_code: "INVALID_FORMAT",
    message,
    errors: [],
    suggestions: [],
  });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
