import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { locked } from "./lock.mjs";
import { cacheFolder, GO, needs, run } from "./needs.ts";
import { say, seconds } from "./say.ts";

export interface GoProgram {
  /** File name of the program. */
  name: string;
  /** Go package of its `main`. */
  package: string;
  /** What the linker writes into it beyond `-s -w`, e.g. `-X …version.Version=v3.255.0`. */
  ldflags?: string;
}

export interface GoBuild {
  /** Folder with the go.mod and go.sum to build from; copied, so that Go never writes into the checkout. */
  modules: string;
  /** Folder under the cache folder, with the version in its name. */
  into: string;
  programs: readonly GoProgram[];
  /** Source files of the modules that are built without, e.g. `github.com/coreos/etcd/client/keys.generated.go`. */
  without?: readonly string[];
  /** What a build from nothing takes, for the disk check; Go's own caches are most of it. */
  diskGiB: number;
}

/**
 * The folder with the programs, built now if one is missing: once a machine, by one process at a time, each renamed into
 * place when it is whole. Throws `Missing` when there is no Go or no space, `Failed` when a build fails.
 */
export async function goBuild({ modules, into, programs, without = [], diskGiB }: GoBuild): Promise<string> {
  const folder = join(cacheFolder(), into);
  const missing = () => programs.filter(({ name }) => !existsSync(join(folder, name)));
  if (missing().length === 0) return folder;
  needs({ go: GO, diskGiB, path: folder });
  await locked(
    join(cacheFolder(), "locks", into),
    async () => {
      for (const program of missing()) await build(program, modules, folder, without);
    },
    () => say(`another run is building ${into}; waiting for it`),
  );
  return folder;
}

async function build(program: GoProgram, modules: string, folder: string, without: readonly string[]): Promise<void> {
  const source = join(cacheFolder(), "src", `${basename(folder)}-${program.name}`);
  rmSync(source, { recursive: true, force: true });
  cpSync(modules, source, { recursive: true });
  mkdirSync(folder, { recursive: true });
  const unfinished = join(folder, `.${program.name}.unfinished`);
  const started = Date.now();
  const title = `building ${program.name} from its Go modules`;
  say(`${title} (minutes, once a machine) …`);
  const alive = setInterval(() => say(`${title}: ${seconds(Date.now() - started)} so far`), 30_000);
  try {
    const ldflags = ["-s -w", program.ldflags].filter(Boolean).join(" ");
    const log = join(cacheFolder(), "log", `${basename(folder)}-${program.name}.log`);
    const go = (args: readonly string[], mod = "mod") => {
      const env = { CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOFLAGS: `-buildvcs=false -mod=${mod}`, GOWORK: "off" };
      return run("go", args, { cwd: source, env, log });
    };
    // Go takes no module apart, but a copy of them all
    if (without.length > 0) await go(["mod", "vendor"]);
    for (const file of without) rmSync(join(source, "vendor", file));
    const made = ["build", "-trimpath", "-ldflags", ldflags, "-o", unfinished, program.package];
    await go(made, without.length > 0 ? "vendor" : "mod");
    renameSync(unfinished, join(folder, program.name));
    say(`${title}: done in ${seconds(Date.now() - started)}`);
  } finally {
    clearInterval(alive);
    rmSync(unfinished, { force: true });
    rmSync(source, { recursive: true, force: true });
  }
}
