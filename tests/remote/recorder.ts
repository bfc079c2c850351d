/** A host whose journal is a file: `logger` there is a script of this name, first on the PATH of a real sshd. And a run's record beside it. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry } from "../../providers/plan/record.ts";
import { RunRecord } from "../../providers/remote/record/record.ts";
import { transcriptIn } from "../../providers/remote/record/transcript.ts";
import { Connections, type SshSettings } from "../../providers/remote/ssh.ts";
import { type Sshd, startSshd } from "./sshd.ts";

export interface Recorder {
  readonly sshd: Sshd;
  /** The file that `logger` writes into. */
  readonly told: string;
  /** Replaces `logger`; without a script it is the one that writes. */
  logger(script?: string): void;
  /** What it was told, one line each; empties it. */
  journal(): string[];
  stop(): Promise<void>;
}

export async function startRecorder(): Promise<Recorder> {
  const bin = mkdtempSync(join(tmpdir(), "logger-"));
  const told = join(bin, "journal");
  const logger: Recorder["logger"] = (script = `[ "$*" = "-t openshift-masters" ] || exit 9; cat >>${told}`) =>
    writeFileSync(join(bin, "logger"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  logger();
  const sshd = await startSshd([`SetEnv PATH=${bin}:/usr/sbin:/usr/bin:/sbin:/bin`]);
  const journal = () => {
    const lines = existsSync(told) ? readFileSync(told, "utf8").split("\n").slice(0, -1) : [];
    writeFileSync(told, "");
    return lines;
  };
  const stop = async () => {
    await sshd.stop();
    rmSync(bin, { recursive: true, force: true });
  };
  return { sshd, told, logger, journal, stop };
}

export const entriesOf = (lines: readonly string[]): Entry[] => lines.map((line) => JSON.parse(line) as Entry);

/** A run of its own in a folder of its own. */
export class Recorded {
  readonly archive: string;
  readonly record: RunRecord;
  readonly connections: Connections;
  readonly told: string[] = [];

  constructor(archive: string, settings: SshSettings, run = "095129-a1b2c3") {
    this.archive = archive;
    this.record = new RunRecord(archive, run, (text) => this.told.push(text));
    this.connections = new Connections(settings);
  }
  get path(): string {
    return transcriptIn(this.archive);
  }
  host(name: string) {
    return this.connections.host({ name, address: "127.0.0.1" });
  }
  async begin(): Promise<void> {
    this.record.prepare();
    await this.record.begin({ leaves: ["master-3"], stays: ["master-0", "master-1"] });
  }
  step<T>(host: string, title: string, work: () => Promise<T>, apart?: true): Promise<T> {
    const place = { resource: "FlannelNetwork", number: 1, of: 2 };
    return this.record.step(place, { do: "edit", host, title, ...(apart === undefined ? {} : { apart }) }, work);
  }
  text(): string {
    return readFileSync(this.path, "utf8");
  }
  entries(): Entry[] {
    return entriesOf(this.text().split("\n").slice(0, -1));
  }
  /** Of each line: kind, state, and what it is of. */
  lines(): string[] {
    return this.entries().map((entry) => inWords(entry));
  }
}

export function inWords(entry: Entry): string {
  const { kind, state } = entry;
  const about = "title" in entry ? entry.title : "what" in entry ? `${entry.host} ${entry.what}` : "";
  const end = "result" in entry ? entry.result : "outcome" in entry ? `${entry.outcome} ${entry.exit ?? "-"}` : "";
  return [kind, state, about, end].filter((word) => word !== "").join(" ");
}
