import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { dropEndpoint, endpoints } from "../../providers/plan/flanneld.ts";

const stock = readFileSync(new URL("../fixtures/flanneld", import.meta.url), "utf8");
const host = { name: "master-3.example.com", addresses: ["192.168.55.21", "fd00::21"] };

test("takes the host out of both keys, by name and by address", () => {
  const { text, dropped } = dropEndpoint(stock, host);
  assert.deepEqual(dropped, [
    { key: "FLANNEL_ETCD_ENDPOINTS", url: "https://192.168.55.21:2379" },
    { key: "FLANNEL_ETCD", url: "https://master-3.example.com:2379" },
  ]);
  assert.equal(
    text,
    stock.replace(",https://192.168.55.21:2379", "").replace(",https://master-3.example.com:2379", ""),
  );
  assert.deepEqual(dropEndpoint(text, host), { text, dropped: [] });
  assert.equal(endpoints(text).length, 4);
});

test("IPv6 in brackets, in any spelling; similar hosts stay", () => {
  const conf =
    "FLANNEL_ETCD_ENDPOINTS='https://[FD00:0::21]:2379,https://[fd00::211]:2379,https://192.168.55.210:2379,https://xmaster-3.example.com:2379'\r\n";
  assert.equal(dropEndpoint(conf, host).text, conf.replace("https://[FD00:0::21]:2379,", ""));
});

test("refuses to leave a key empty, naming the line", () => {
  const conf =
    "FLANNEL_ETCD_ENDPOINTS=https://a:2379,https://192.168.55.21:2379\n\nFLANNEL_ETCD=https://192.168.55.21:2379\n";
  assert.throws(() => dropEndpoint(conf, host), {
    name: "Refusal",
    message: /line 3: refusing to leave FLANNEL_ETCD empty/,
  });
});

test("refuses what it cannot read", () => {
  assert.throws(() => endpoints("FLANNEL_ETCD=$FLANNEL_ETCD_ENDPOINTS\n"), {
    name: "Refusal",
    message: /line 1: .*FLANNEL_ETCD /,
  });
});

test("a file without the keys is left alone", () => {
  for (const conf of ["", "#FLANNEL_ETCD=https://192.168.55.21:2379\n", 'FLANNEL_ETCD_PREFIX="/x"']) {
    assert.deepEqual(dropEndpoint(conf, host), { text: conf, dropped: [] });
  }
});

test("what goes is exactly the host's, in every mix of the two keys", () => {
  const url = fc.nat(30).map((n) => `https://192.168.55.${n}:2379`);
  fc.assert(
    fc.property(
      fc.array(url, { maxLength: 5 }),
      fc.array(url, { maxLength: 5 }),
      fc.constantFrom("\n", "\r\n"),
      (one, two, eol) => {
        const file = (a: string[], b: string[]): string =>
          `# x${eol}FLANNEL_ETCD="${["https://a:1", ...a].join(",")}"${eol}FLANNEL_ETCD_ENDPOINTS=${["https://b:1", ...b].join(",")}`;
        const stays = (each: string): boolean => each !== "https://192.168.55.21:2379";
        assert.equal(dropEndpoint(file(one, two), host).text, file(one.filter(stays), two.filter(stays)));
      },
    ),
    { numRuns: 1000 },
  );
});
