/** What etcd itself may have that forbids a removal, each really so for a while, on the lab that is already there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cast } from "../../lab/cluster.ts";
import { alarm, connectTo } from "../../lab/etcd-grpc.ts";
import { etcdctl, eventually, on } from "./stack.ts";

const hosts = cast(4);

const members = async (): Promise<string[]> => (await etcdctl("master-0", "member list")).output.trim().split("\n");
const idAt = async (url: string): Promise<string> =>
  (await members()).find((line) => line.includes(url))?.split(",")[0] ?? "none";

/** Adds a member by hand; removes it whatever `check` meets. */
async function withMember(words: string, url: string, check: (id: string) => Promise<void>): Promise<void> {
  await eventually("the member is added", 60, async () => {
    const { output } = await etcdctl("master-0", `member add ${words} --peer-urls=${url}`);
    return output.includes("added to cluster") ? undefined : output;
  });
  const id = await idAt(url);
  try {
    await check(id);
  } finally {
    await eventually("the member is removed again", 60, async () => {
      await etcdctl("master-0", `member remove ${id}`);
      return (await idAt(url)) === "none" ? undefined : id;
    });
  }
}

/** Declares the tests, for a stack that is adopted and has master-3 dropped. */
export function membershipTests(refused: (...sentences: RegExp[]) => Promise<void>): void {
  test("two members of one name and one host: nobody chooses between them", () =>
    withMember("master-3.example.com", "https://192.168.55.21:22380", async (id) => {
      const listed = (await members()).map((line) => line.split(", "));
      const cluster = listed.map(([, , name, url]) => `${name === "" ? "twin" : name}=${url}`).join();
      const start = async (name: string) => {
        await on(
          "master-3",
          `systemctl stop twin; systemd-run --unit=twin --setenv=ETCD_ENABLE_V2=true /usr/bin/etcd --name ${name} --data-dir /var/twin \
          --listen-peer-urls https://192.168.55.21:22380 --initial-advertise-peer-urls https://192.168.55.21:22380 \
          --listen-client-urls https://192.168.55.21:22379 --advertise-client-urls https://192.168.55.21:22379 \
          --initial-cluster '${cluster}' --initial-cluster-state existing \
          --cert-file /etc/etcd/server.crt --key-file /etc/etcd/server.key --trusted-ca-file /etc/etcd/ca.crt --client-cert-auth \
          --peer-cert-file /etc/etcd/peer.crt --peer-key-file /etc/etcd/peer.key --peer-trusted-ca-file /etc/etcd/ca.crt --peer-client-cert-auth`,
        );
        await eventually(`the member is called ${name}`, 60, async () => {
          const now = await members();
          return now.some((line) => line.startsWith(`${id}, started, ${name},`)) ? undefined : now.join("\n");
        });
      };
      try {
        // nobody may join under a name that is taken; one that has joined may take it
        await start("twin");
        await start("master-3.example.com");
        await refused(new RegExp(`refusing to choose: 2 etcd members fit master-3\\.example\\.com: .*${id}`));
      } finally {
        await etcdctl("master-0", `member remove ${id}`);
        await on("master-3", "systemctl stop twin; rm -rf /var/twin");
      }
    }));

  test("told together: an alarm of NOSPACE, a member's certificate that ends in three days, a member that nobody declared and that never started", async () => {
    const session = connectTo(hosts["master-0"] ?? "");
    const raised = BigInt(`0x${await idAt("https://192.168.55.12:2380")}`);
    await withMember("ghost", "https://192.168.55.99:2380", async (id) => {
      await alarm(session, "activate", raised);
      try {
        await withShortCertificate(() =>
          refused(
            /NOSPACE/,
            /master-1\.example\.com: .*\/etc\/etcd\/peer\.crt.*(3|2) days/,
            new RegExp(
              `etcd has a member that is not declared: ${id} \\(unstarted, https://192\\.168\\.55\\.99:2380\\)`,
            ),
          ),
        );
      } finally {
        await alarm(session, "deactivate", raised);
        session.destroy();
      }
    });
    assert.equal((await etcdctl("master-0", "alarm list")).output.trim(), "");
  });
}

/** The peer certificate of master-1, signed anew for three days, for as long as `check` takes. */
async function withShortCertificate(check: () => Promise<void>): Promise<void> {
  const signed = await on(
    "master-0",
    `cd /etc/etcd/ca && openssl x509 -x509toreq -in /etc/etcd/generated_certs/etcd-master-1.example.com/peer.crt \
      -signkey /etc/etcd/generated_certs/etcd-master-1.example.com/peer.key 2>/dev/null >/root/short.csr &&
    printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=IP:192.168.55.12,DNS:master-1.example.com\n' >/root/short.ext &&
    openssl x509 -req -in /root/short.csr -CA ca.crt -CAkey ca.key -set_serial 0x7fff -days 3 -extfile /root/short.ext 2>/dev/null; rm -f /root/short.*`,
  );
  assert.match(signed.output, /BEGIN CERTIFICATE/);
  await on(
    "master-1",
    `cp -p /etc/etcd/peer.crt /root/peer.crt && cat >/etc/etcd/peer.crt <<'X'\n${signed.output.trim()}\nX`,
  );
  try {
    await check();
  } finally {
    await on("master-1", "mv /root/peer.crt /etc/etcd/peer.crt");
  }
}
