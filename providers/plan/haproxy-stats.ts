import { Refusal } from "./refusal.ts";

/** A server's row of `show stat`: `status` as haproxy words it (`UP`, `DOWN`, `UP 1/3`, `MAINT`, `DRAIN`, `no check`). */
export interface ServerStats {
  readonly backend: string;
  readonly server: string;
  readonly status: string;
  /** Sessions now open (`scur`). */
  readonly sessions: number;
  /** Of the last health check (`check_status`): `L4OK`, `L7STS`, …; `INI` until the first has ended; empty without checks. */
  readonly check: string;
}

/** In service, and a check has said so: before its first check haproxy calls a server UP on trust. */
export const isServing = ({ status, check }: ServerStats): boolean =>
  status === "no check" || (/^UP(?: \(via .*)?$/.test(status) && !check.endsWith("INI"));

const NOT_SERVERS = new Set(["FRONTEND", "BACKEND"]);
const SERVER_TYPE = "2";

/**
 * Reads the CSV that `show stat` prints (haproxy 1.5 to 2.x); columns are found by their header's name, since every
 * release adds some. Source: haproxy management guide, "CSV format".
 * @throws Refusal when the text has no such header, or a server's row lacks a value: a cut-off answer proves nothing.
 */
export function statsOf(csv: string): ServerStats[] {
  const rows = csv.split(/\r?\n/).map((text, index) => ({ text, line: index + 1 }));
  const header = rows.find(({ text }) => text.startsWith("# pxname,svname"));
  if (!header)
    throw new Refusal(`haproxy's answer to "show stat" has no header "# pxname,svname": "${rows[0]?.text ?? ""}"`);
  const columns = header.text.slice("# ".length).split(",");
  return rows
    .filter(({ text, line }) => line > header.line && text.trim() !== "")
    .map(({ text, line }) => ({ line, row: new Map(fieldsOf(text).map((field, at) => [columns[at] ?? "", field])) }))
    .filter(({ row }) => isServer(row))
    .map(({ row, line }) => statsOfRow(row, line));
}

function isServer(row: ReadonlyMap<string, string>): boolean {
  return !NOT_SERVERS.has(row.get("svname") ?? "") && (row.get("type") ?? SERVER_TYPE) === SERVER_TYPE;
}

function statsOfRow(row: ReadonlyMap<string, string>, line: number): ServerStats {
  const backend = row.get("pxname") ?? "";
  const server = row.get("svname") ?? "";
  const status = row.get("status") ?? "";
  const sessions = row.get("scur") ?? "";
  if (server === "" || status === "" || !/^\d+$/.test(sessions)) {
    throw new Refusal(
      `line ${line} of haproxy's "show stat" is cut off or not a server's row: "${backend},${server},…"`,
    );
  }
  return { backend, server, status, sessions: Number(sessions), check: row.get("check_status") ?? "" };
}

/** Fields of one row; `last_chk` and `check_desc` may be quoted and hold commas. */
function fieldsOf(row: string): string[] {
  return [...row.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}
