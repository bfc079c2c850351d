/** The hand-over of a certificate authority: from its host, or out of an archive of this machine, to a master that stays. */
import { posix } from "node:path";
import type { Readable } from "node:stream";
import { largestTree } from "../../plan/authority-shell.ts";
import { type Delivered, packAuthority, takeEtcdAuthority, takeSerial } from "../../plan/authority-script.ts";
import { authorities } from "../../plan/authority.ts";
import type { Step } from "../../plan/steps.ts";
import { isUnaltered } from "../archived-authority.ts";
import { RemoteError } from "../errors.ts";
import { openArchive } from "../open-archive.ts";
import { expandHome } from "../settings.ts";
import { type Context, hostOf } from "./context.ts";

type HandOver = Extract<Step, { do: "hand-over" }>;

/** Where they belong, whatever place they were found in. */
const places = { etcd: "/etc/etcd", openshift: "/etc/origin/master" } as const;

/** What is sent, and where in it the authority lies. */
interface Source extends Omit<Delivered, "digest" | "run"> {
  readonly stdin: Buffer | (() => Readable);
  readonly bytes: number;
}

/**
 * Nothing gets its place before it was compared with what was read and has signed a certificate that the cluster takes.
 * @throws RemoteError with the reason; the target is then as it was. Error when the archive was altered; Refusal when it cannot be opened
 */
export async function handOver(
  context: Context,
  step: HandOver,
  folders: Readonly<Record<HandOver["authority"], string>> = places,
): Promise<void> {
  const target = hostOf(context, step.host);
  const what = `taking over ${authorities[step.authority].what}`;
  const { stdin, bytes, ...source } =
    "host" in step.from
      ? await ofHost(context, step, step.from.host)
      : await ofArchive(context, step, step.from.archive);
  const delivered = { ...source, digest: step.digest, run: context.session.run };
  const script =
    step.authority === "etcd"
      ? takeEtcdAuthority({ ...delivered, folder: folders.etcd })
      : takeSerial({ ...delivered, folder: folders.openshift });
  // at least 1 MB/s
  const { stdout } = await target.run(script, { what, deadline: 300 + Math.ceil(bytes / 1e6), stdin });
  const digest = /^digest ([0-9a-f]{64})$/m.exec(stdout)?.[1];
  if (digest !== step.digest)
    throw new RemoteError({
      host: step.host,
      what,
      outcome: "failed",
      seen: "what is in its place is not what was put there",
      remedy: "look at who changes it, and run this again",
    });
  context.say(
    `${step.host}: signed a throw-away certificate with it, which the cluster's ca.crt takes; it is in its place`,
  );
}

/** Packed on its host, and held in memory: it is small, and its keys touch no disk of this machine. */
async function ofHost(context: Context, step: HandOver, name: string): Promise<Source> {
  const isTree = step.authority === "etcd";
  const folder = isTree ? posix.dirname(posix.dirname(step.place)) : posix.dirname(step.place);
  const members = isTree ? ["ca", "generated_certs"] : ["ca.serial.txt"];
  const { stdout } = await hostOf(context, name).runBytes(packAuthority(folder, members), {
    what: `packing ${authorities[step.authority].copied}`,
    deadline: 120,
    limit: largestTree + 8 * 1024 * 1024,
  });
  // named one by one only where a name must be there; an archive made here holds nothing else
  return { stdin: stdout, bytes: stdout.length, members: [], root: ".", gzip: false };
}

/** Streamed whole; the target takes out of it what it wants. */
async function ofArchive(
  context: Context,
  step: HandOver,
  from: Extract<HandOver["from"], { archive: object }>["archive"],
): Promise<Source> {
  const { archive, bytes } = from;
  const place = from.places.find(({ path }) => path === step.place);
  if (place === undefined || !(await isUnaltered(from, false)))
    throw new Error(`${archive} is no longer what its manifest says: run this again, for an older one to be found`);
  context.say(`${archive} is what its manifest says; sending it to ${step.host}, which takes the authority out of it`);
  const { identity } = context.change.settings.backup;
  const plain = await openArchive(archive, identity === undefined ? {} : { identityFile: expandHome(identity) });
  // what goes wrong with it is told to whoever reads it; until then it must not end the process
  plain.on("error", () => undefined);
  const folder = posix.dirname(step.place.slice(1));
  return {
    stdin: () => plain,
    bytes,
    members: place.members,
    root: step.authority === "etcd" ? posix.dirname(folder) : folder,
    gzip: /\.gz(\.age)?$/.test(archive),
  };
}
