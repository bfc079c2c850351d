import { spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, cached, download, DYNAMIC_PROVIDER, isProgram, sdk, VERSION } from "./engine-sources.ts";
import { Failed, isAtLeast, Missing } from "./needs.ts";
import { say, step } from "./say.ts";

/** The oldest, and the first too new, that is accepted on PATH. */
const OLDEST = "3.200.0";
const TOO_NEW = "4.0.0";

export interface Engine {
  /** Folder, or folders as in PATH, with `pulumi` and its Node language host. */
  bin: string;
  /** To be added to the environment of whatever runs `pulumi`; holds the whole PATH. */
  env: Record<string, string>;
  origin: "path" | "download" | "build";
  version: string;
}

/** How to come by an engine; each part is replaceable in tests. */
export interface Sources {
  path: string;
  /** These return the folder that holds the programs. */
  download: () => Promise<string>;
  build: () => Promise<string>;
}

let found: Promise<Engine> | undefined;

/** The Pulumi engine and the environment it needs to run this program; minutes the first time on a machine without one. */
export function engine(): Promise<Engine> {
  found ??= findEngine();
  return found;
}

/** In this order: on PATH, kept from an earlier run, downloaded, built. Throws `Missing` when there is no way. */
export async function findEngine(sources: Partial<Sources> = {}): Promise<Engine> {
  const all: Sources = { path: process.env["PATH"] ?? "", download, build, ...sources };
  const engine = onPath(all.path) ?? kept() ?? (await downloaded(all)) ?? (await builtHere(all));
  return { ...engine, env: environment(engine.bin, all.path) };
}

type Found = Omit<Engine, "env">;

function onPath(path: string): Found | undefined {
  const bin = folderWith("pulumi", path);
  if (bin === undefined) return undefined;
  const version = versionOf(join(bin, "pulumi"));
  const host = folderWith("pulumi-language-nodejs", bin + delimiter + path);
  const isRight = version !== undefined && isAtLeast(version, OLDEST) && !isAtLeast(version, TOO_NEW);
  if (isRight && host !== undefined)
    return { bin: host === bin ? bin : bin + delimiter + host, origin: "path", version };
  const flaw = isRight
    ? "its Node language host, pulumi-language-nodejs, is neither beside it nor on PATH"
    : `it is ${version ?? "of no known version"}, and ${OLDEST} or newer and below ${TOO_NEW} is needed`;
  say(`not using ${join(bin, "pulumi")}: ${flaw}`);
  return undefined;
}

function kept(): Found | undefined {
  const before = cached();
  return before && { ...before, version: VERSION };
}

async function downloaded({ download }: Sources): Promise<Found | undefined> {
  try {
    return { bin: await step(`downloading pulumi ${VERSION}`, download), origin: "download", version: VERSION };
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    say(`pulumi cannot be downloaded here (${error.message.split("\n").at(-1) ?? ""}): building it instead`);
    return undefined;
  }
}

async function builtHere({ build }: Sources): Promise<Found> {
  try {
    return { bin: await build(), origin: "build", version: VERSION };
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    throw new Missing(
      `No Pulumi engine: none of a version that will do is on PATH, the download failed, and it cannot be built. ${error.message}`,
    );
  }
}

/** What the engine needs to find its parts, and no more. */
function environment(bin: string, path: string): Record<string, string> {
  const folders = [bin, fileURLToPath(new URL("../node_modules/.bin", import.meta.url))];
  if (folderWith(DYNAMIC_PROVIDER, bin) === undefined) {
    // an engine from elsewhere that came without it: npm's copy serves, which may have been unpacked without its run bit
    const provider = join(sdk, DYNAMIC_PROVIDER);
    if (!isProgram(provider)) chmodSync(provider, 0o755);
    folders.push(sdk);
  }
  return { PATH: [...folders, path].join(delimiter), PULUMI_SKIP_UPDATE_CHECK: "1" };
}

function folderWith(program: string, path: string): string | undefined {
  return path.split(delimiter).find((folder) => folder !== "" && isProgram(join(folder, program)));
}

/** Some `pulumi` are wrappers that download the real one when asked anything: not for long. */
function versionOf(pulumi: string): string | undefined {
  const env = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "1" };
  const { stdout, status } = spawnSync(pulumi, ["version"], { encoding: "utf8", timeout: 20_000, env });
  return status === 0 ? /^v?(\d+\.\d+\.\d+\S*)/.exec(stdout.trim())?.[1] : undefined;
}
