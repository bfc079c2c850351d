/** CertificateAuthority: what a leaving holder has goes to the masters that stay. */
import { objections } from "../authority-objections.ts";
import { type Custody, type HandOver, type AuthorityName, authorities, custodyOf } from "../authority.ts";
import { Refusal } from "../refusal.ts";
import type { Change, Step, World } from "../steps.ts";
import { type Planner, leaver, nobodyLeaves, survivor } from "./asked.ts";

const both: readonly AuthorityName[] = ["openshift", "etcd"];

/** The first of the inventory that stays gets both; OpenShift's serial goes to every master that stays. */
export const planAuthority: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  for (const name of Object.keys(change.leaving)) leaver(world, change, name);
  for (const name of Object.keys(change.survivors)) survivor(world, name);
  return both.flatMap((name) => handedOver(world, change, custodyOf(world, change, name)));
};

/** @throws Refusal with everything that speaks against it */
function handedOver(world: World, change: Change, custody: Custody): Step[] {
  const reasons = objections(world, change, custody);
  if (reasons.length > 0) throw new Refusal(reasons.join("; "));
  return custody.handOvers.map((one) => stepOf(custody.name, one));
}

function stepOf(authority: AuthorityName, { source, target, replaces }: HandOver): Step {
  const { archive, path, serial, digest, host } = source;
  const { what } = authorities[authority];
  const from =
    archive === undefined
      ? `from ${host} (${path.replace(/\/serial$/, "")})`
      : `from the archive ${archive.archive} of ${host}, taken ${archive.takenAt}, sha256 ${archive.sha256.slice(0, 12)}`;
  const old = replaces === undefined ? "" : `, in place of serial ${replaces.serial}, which is kept`;
  return {
    do: "hand-over",
    host: target,
    authority,
    from: archive === undefined ? { host } : { archive },
    place: path,
    serial,
    digest,
    title: `take over ${what}, serial ${serial}, ${from}${old}; proved by a throw-away certificate`,
    commands: commandsOf(authority, source.archive?.archive ?? `tar on ${host}`),
  };
}

const commandsOf = (authority: AuthorityName, source: string): string[] =>
  authority === "etcd"
    ? [
        `${source} | tar -x ca generated_certs   # into a private folder in /etc/etcd`,
        "openssl ca …; openssl verify -CAfile /etc/etcd/ca.crt …   # on a copy of index and serial",
        "mv … /etc/etcd/generated_certs; mv … /etc/etcd/ca",
      ]
    : [
        `${source} | tar -x ca.serial.txt   # into a private folder in /etc/origin/master`,
        "openssl x509 -req …; openssl verify -CAfile /etc/origin/master/ca.crt …",
        "mv … /etc/origin/master/ca.serial.txt",
      ];
