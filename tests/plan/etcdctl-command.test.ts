import assert from "node:assert/strict";
import { test } from "node:test";
import { etcdctl } from "../../providers/plan/etcdctl-command.ts";
import { Refusal } from "../../providers/plan/refusal.ts";

const endpoint = "https://192.168.55.12:2379";
const v3 = `--cert /etc/etcd/peer.crt --key /etc/etcd/peer.key --cacert /etc/etcd/ca.crt --endpoints ${endpoint}`;
const v2 = `--cert-file /etc/etcd/peer.crt --key-file /etc/etcd/peer.key --ca-file /etc/etcd/ca.crt --endpoints ${endpoint}`;

test("each way to etcdctl is one command line", () => {
  assert.equal(etcdctl("host", 3, ["member", "list"], { endpoint }), `ETCDCTL_API=3 etcdctl ${v3} member list`);
  assert.equal(
    etcdctl("master-exec", 2, ["cluster-health"], { endpoint }),
    `/usr/local/bin/master-exec etcd etcd env ETCDCTL_API=2 etcdctl ${v2} cluster-health`,
  );
  assert.equal(
    etcdctl("oc-exec", 3, ["endpoint", "health"], { endpoint, pod: "master-etcd-master-1.example.com" }),
    `KUBECONFIG=/etc/origin/master/admin.kubeconfig HOME=/proc/self oc exec master-etcd-master-1.example.com -n kube-system -c etcd -- env ETCDCTL_API=3 etcdctl ${v3} endpoint health`,
  );
});

test("without an endpoint nobody is asked, so there are no certificates", () => {
  assert.equal(
    etcdctl("host", 3, ["snapshot", "status", "-w", "json", "/var/lib/etcd/a.db"]),
    "ETCDCTL_API=3 etcdctl snapshot status -w json /var/lib/etcd/a.db",
  );
});

test("every word is quoted", () => {
  const line = etcdctl("host", 2, ["ls", "/a b; rm -rf /", "$(id)"], { endpoint: "https://a:1 'b" });
  assert.match(line, / --endpoints 'https:\/\/a:1 '\\''b' ls '\/a b; rm -rf \/' '\$\(id\)'$/);
});

test("oc exec wants a pod's name, not an option or nothing", () => {
  for (const place of [{}, { pod: "" }, { pod: "--as=root" }, { pod: "a b" }])
    assert.throws(() => etcdctl("oc-exec", 3, ["version"], place), Refusal);
});
