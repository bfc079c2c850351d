/** Reader of `endpoint hashkv -w json` (etcd 3.3 and later; `etcdctl/ctlv3/command/printer.go`). Numbers stay text, as in `etcdctl.ts`. */
import { exactJson, fieldsOf, formatMemberId, notUnderstood, text } from "./etcdctl.ts";
import { Refusal } from "./refusal.ts";

export interface EndpointHash {
  readonly endpoint: string;
  /** Hex. */
  readonly memberId: string;
  /** The member's own newest revision, decimal. */
  readonly revision: string;
  /** Decimal, of the data between the compaction and the revision that was asked for. */
  readonly hash: string;
  /** Decimal; "-1" when nothing was ever compacted. Hashes can be compared only where it is the same. */
  readonly compactRevision: string;
}

/**
 * Endpoints that gave none are missing from it.
 * @throws Refusal when the text is not that JSON, or an element lacks its member id or hash
 */
export function parseHashes(json: string): EndpointHash[] {
  const list = exactJson(json, "endpoint hashkv") ?? [];
  if (!Array.isArray(list)) throw new Refusal("endpoint hashkv: not a list of endpoints");
  return list.map((element: unknown) => {
    const outer = fieldsOf(element);
    const told = fieldsOf(outer["HashKV"]);
    const header = fieldsOf(told["header"]);
    const [hash, compacted] = [text(told["hash"]), text(told["compact_revision"]) || "0"];
    if (text(outer["Endpoint"]) === "" || !/^\d{1,10}$/.test(hash) || !/^-?\d{1,19}$/.test(compacted))
      return notUnderstood("endpoint hashkv", json.trim());
    return {
      endpoint: text(outer["Endpoint"]),
      memberId: formatMemberId(text(header["member_id"])),
      revision: text(header["revision"]) || "0",
      hash,
      compactRevision: compacted,
    };
  });
}
