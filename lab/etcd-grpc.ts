/** The calls of etcd's gRPC that etcdctl has not, or not fast enough for a writer, over Node's own HTTP/2: put, range, and raising an alarm. */
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import { built } from "./cluster.ts";

const file = (name: string): Buffer => readFileSync(join(built.pki, name));

/** A connection to the member at an address, as master-0's API has one. */
export function connectTo(address: string): ClientHttp2Session {
  const own = "master-0/master.etcd-client";
  const session = connect(`https://${address}:2379`, {
    ca: file("etcd-ca/ca.crt"),
    cert: file(`${own}.crt`),
    key: file(`${own}.key`),
  });
  // every call tells its own failure
  session.on("error", () => undefined);
  return session;
}

/** Resolves when the write is acknowledged. @throws Error when it is not, or not known to be, within 5 s */
export const put = async (session: ClientHttp2Session, key: string, value: string): Promise<void> => {
  await call(session, "KV/Put", [...field(1, Buffer.from(key)), ...field(2, Buffer.from(value))]);
};

/** Keys from `from` up to, and without, `end`, with their values: at most `limit`. */
export async function range(
  session: ClientHttp2Session,
  from: string,
  end: string,
  limit: number,
): Promise<[key: string, value: string][]> {
  const asked = [...field(1, Buffer.from(from)), ...field(2, Buffer.from(end)), ...numbered(3, BigInt(limit))];
  return fieldsOf(await call(session, "KV/Range", asked))
    .filter(({ number }) => number === 2)
    .map(({ bytes }) => {
      const of = (wanted: number) =>
        fieldsOf(bytes)
          .find(({ number }) => number === wanted)
          ?.bytes.toString() ?? "";
      return [of(1), of(5)];
    });
}

/** Raises or clears NOSPACE for a member, as a member does whose quota is used up. */
export const alarm = async (
  session: ClientHttp2Session,
  action: "activate" | "deactivate",
  member: bigint,
): Promise<void> => {
  const noSpace = 1n;
  const asked = [...numbered(1, action === "activate" ? 1n : 2n), ...numbered(2, member), ...numbered(3, noSpace)];
  await call(session, "Maintenance/Alarm", asked);
};

function call(session: ClientHttp2Session, method: string, message: readonly Buffer[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": `/etcdserverpb.${method}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const parts: Buffer[] = [];
    let status = "no status";
    const told = (headers: Record<string, unknown>) => {
      if (headers["grpc-status"] !== undefined)
        status = `${String(headers["grpc-status"])} ${String(headers["grpc-message"] ?? "")}`.trim();
    };
    stream.setTimeout(5000, () => stream.destroy(new Error("no answer within 5 s")));
    stream.on("response", told).on("trailers", told);
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("error", reject);
    stream.on("close", () => {
      if (status === "0") resolve(Buffer.concat(parts).subarray(5));
      else reject(new Error(`etcd ${method}: ${status}`));
    });
    const body = Buffer.concat(message);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    stream.end(Buffer.concat([head, body]));
  });
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 128n) return Buffer.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 127n) | 128);
  }
}

const numbered = (number: number, value: bigint): Buffer[] => [Buffer.from([number << 3]), varint(value)];
const field = (number: number, bytes: Buffer): Buffer[] => [
  Buffer.from([(number << 3) | 2]),
  varint(BigInt(bytes.length)),
  bytes,
];

/** The fields of a message: of numbers only their place is read over, of everything else the bytes are kept. */
function fieldsOf(message: Buffer): { number: number; bytes: Buffer }[] {
  const fields: { number: number; bytes: Buffer }[] = [];
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = number();
    const length = (tag & 7) === 2 ? number() : 0;
    if ((tag & 7) === 0) number();
    fields.push({ number: tag >> 3, bytes: message.subarray(at, at + length) });
    at += length;
  }
  return fields;
}
