import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { authorityOf, dropMember, effectiveValue, initialCluster } from "../../providers/plan/etcd-conf.ts";

const stock = readFileSync(new URL("../fixtures/etcd.conf", import.meta.url), "utf8");
const leaving = { name: "master-3.example.com", peerURLs: ["https://192.168.55.21:2380"] };

test("takes the leaving member out of the stock file, and nothing else", () => {
  const { text, dropped } = dropMember(stock, leaving);
  assert.deepEqual(dropped, [{ name: "master-3.example.com", url: "https://192.168.55.21:2380" }]);
  assert.equal(text, stock.replace(",master-3.example.com=https://192.168.55.21:2380", ""));
  assert.deepEqual(dropMember(text, leaving), { text, dropped: [] });
  assert.deepEqual(
    initialCluster(text).map(({ name }) => name),
    ["master-0.example.com", "master-1.example.com", "master-2.example.com"],
  );
});

test("reads values as the shell does", () => {
  assert.equal(effectiveValue(stock, "ETCD_DATA_DIR"), "/var/lib/etcd/");
  assert.equal(effectiveValue(stock, "ETCD_CLIENT_CERT_AUTH"), "true");
  assert.equal(effectiveValue(stock, "ETCD_DISCOVERY"), undefined);
});

const line = (value: string): string => `ETCD_INITIAL_CLUSTER=${value}\n`;
const CASES: [what: string, value: string, member: typeof leaving, after: string][] = [
  [
    "matches the URL whatever the name",
    "a=https://10.0.0.1:2380,b=https://10.0.0.2:2380",
    { name: "x", peerURLs: ["https://10.0.0.2:2380"] },
    "a=https://10.0.0.1:2380",
  ],
  [
    "10.0.0.12 is not 10.0.0.120",
    "m1=https://10.0.0.12:2380,m10=https://10.0.0.120:2380",
    { name: "m1", peerURLs: ["https://10.0.0.12:2380"] },
    "m10=https://10.0.0.120:2380",
  ],
  [
    "master-1 is not master-10",
    "m-10=https://h10:2380,m-1=https://h1:2380",
    { name: "m-1", peerURLs: [] },
    "m-10=https://h10:2380",
  ],
  [
    "the port counts",
    "a=https://h:2380,b=https://h:12380",
    { name: "", peerURLs: ["https://h:12380"] },
    "a=https://h:2380",
  ],
  [
    "all URLs of a member go",
    "m=https://h1:2380,a=https://h2:2380,m=https://h3:2380",
    { name: "m", peerURLs: ["https://h3:2380", "https://h1:2380"] },
    "a=https://h2:2380",
  ],
  [
    "by name, all entries go",
    "m=https://h1:2380,a=https://h2:2380,m=https://h3:2380",
    { name: "m", peerURLs: [] },
    "a=https://h2:2380",
  ],
  [
    "IPv6 in another spelling",
    "a=https://[fd00::1]:2380,b=https://[fd00::2]:2380",
    { name: "b", peerURLs: ["https://[FD00:0::2]:2380"] },
    "a=https://[fd00::1]:2380",
  ],
  [
    "keeps quotes and blanks",
    `"a=https://h1:2380, b=https://h2:2380" # b`,
    { name: "b", peerURLs: ["https://h2:2380"] },
    `"a=https://h1:2380" # b`,
  ],
  [
    "nothing of the member there",
    "a=https://h1:2380",
    { name: "b", peerURLs: ["https://h2:2380"] },
    "a=https://h1:2380",
  ],
];
for (const [what, value, member, after] of CASES) {
  test(what, () => assert.equal(dropMember(line(value), member).text, line(after)));
}

const REFUSED: [what: string, value: string, member: typeof leaving, message: RegExp][] = [
  [
    "two candidates",
    "m=https://h1:2380,x=https://h2:2380,a=https://h3:2380",
    { name: "m", peerURLs: ["https://h2:2380"] },
    /line 1: .*m at https:\/\/h1:2380.*https:\/\/h2:2380/,
  ],
  [
    "the name at a URL the cluster does not know",
    "m=https://h1:2380,a=https://h3:2380",
    { name: "m", peerURLs: ["https://h2:2380"] },
    /line 1: .*not certain/,
  ],
  [
    "the last entry",
    "m=https://h1:2380",
    { name: "m", peerURLs: [] },
    /line 1: refusing to leave ETCD_INITIAL_CLUSTER empty/,
  ],
  ["an entry without a name", "https://h1:2380", { name: "m", peerURLs: [] }, /line 1: .*not name=url/],
  ["an entry without a URL", "a=https://h1:2380,b=", { name: "m", peerURLs: [] }, /not name=url/],
  ["an expansion", "$ALL", leaving, /line 1: .*ETCD_INITIAL_CLUSTER.*expansion/],
  ["a peer URL that is none", "a=https://h1:2380", { name: "m", peerURLs: ["https://h 1"] }, /not a URL/],
];
for (const [what, value, member, message] of REFUSED) {
  test(`refuses ${what}`, () => assert.throws(() => dropMember(line(value), member), { name: "Refusal", message }));
}

test("a file without the key is left alone", () => {
  assert.deepEqual(dropMember("#ETCD_INITIAL_CLUSTER=m=https://h:1\n", leaving), {
    text: "#ETCD_INITIAL_CLUSTER=m=https://h:1\n",
    dropped: [],
  });
});

test("authorities", () => {
  assert.deepEqual(authorityOf("https://Master-1.Example.com:2379/path"), {
    host: "master-1.example.com",
    port: "2379",
  });
  assert.deepEqual(authorityOf("http://h"), { host: "h", port: "" });
  for (const wrong of ["", "https://", "https://a:b", "https://u@h:1", "https://fd00::1:2379"])
    assert.equal(authorityOf(wrong), undefined, wrong);
});

test("only the member's entries go, the rest stays in order, twice is once", () => {
  const member = fc.integer({ min: 0, max: 19 });
  fc.assert(
    fc.property(
      fc.uniqueArray(member, { minLength: 2, maxLength: 7 }),
      fc.constantFrom('"', "'", ""),
      fc.constantFrom("\n", "\r\n"),
      (ids, quote, eol) => {
        const entry = (id: number): string => `master-${id}=https://10.0.0.${id}:2380`;
        const file = (list: readonly number[]): string =>
          stock
            .replaceAll("\n", eol)
            .replace(/(?<=^ETCD_INITIAL_CLUSTER=).*?(?=\r?$)/m, quote + list.map(entry).join(",") + quote);
        const gone = ids[1] ?? 0;
        const after = dropMember(file(ids), { name: `master-${gone}`, peerURLs: [`https://10.0.0.${gone}:2380`] });
        assert.equal(after.text, file(ids.filter((id) => id !== gone)));
        assert.deepEqual(dropMember(after.text, { name: `master-${gone}`, peerURLs: [] }), {
          text: after.text,
          dropped: [],
        });
      },
    ),
  );
});
