import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { goBuild } from "./go-build.ts";
import { cacheFolder, Failed, hasGo, run } from "./needs.ts";

// Where an engine comes from when PATH has none. All of these return a folder that holds `pulumi` and its Node language
// host, or throw `Failed` or `Missing`.

/** What is downloaded or built; the SDK in package.json is pinned to the same version. */
export const VERSION = "3.255.0";
export const DYNAMIC_PROVIDER = "pulumi-resource-pulumi-nodejs";
/** npm's copy of the dynamic provider, a shell script that starts the program's own SDK. */
export const sdk = fileURLToPath(new URL("../node_modules/@pulumi/pulumi", import.meta.url));

const root = fileURLToPath(new URL("..", import.meta.url));
const official = () => join(cacheFolder(), `pulumi-${VERSION}-official`);
const built = `pulumi-${VERSION}`;

export interface Cached {
  bin: string;
  origin: "download" | "build";
}

/** What an earlier run left, the official release first. */
export function cached(): Cached | undefined {
  const release = join(official(), "bin");
  if (isWhole(release)) return { bin: release, origin: "download" };
  const own = join(cacheFolder(), built);
  return isWhole(own) ? { bin: withDynamicProvider(own), origin: "build" } : undefined;
}

/** In a process of its own: `PulumiCommand.install` knows no time limit and would leave a shell and a curl behind. */
export async function download(): Promise<string> {
  mkdirSync(cacheFolder(), { recursive: true });
  const unfinished = mkdtempSync(join(cacheFolder(), "pulumi-unfinished-"));
  const program = `
    import { PulumiCommand } from "@pulumi/pulumi/automation/index.js";
    PulumiCommand.install({ root: process.argv[1] }).catch((error) => { console.error(error.message); process.exit(1); });`;
  // with Go there is another way, and a blocked network is not worth a wait; without it a slow line is all there is
  const timeoutSeconds = hasGo() ? 20 : 180;
  try {
    await run(process.execPath, ["--input-type=module", "--eval", program, unfinished], { cwd: root, timeoutSeconds });
    if (!isWhole(join(unfinished, "bin"))) throw new Failed("the official release came without its Node language host");
    if (!existsSync(official())) renameSync(unfinished, official());
    return join(official(), "bin");
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/**
 * Two module graphs: 3.68.0 is the last release with the Node language host in the SDK's own module, which the engine of
 * today does not share; it speaks an older protocol of which only policy packs are missed.
 */
export async function build(): Promise<string> {
  const modules = fileURLToPath(new URL("modules", import.meta.url));
  await goBuild({
    modules: join(modules, "language-nodejs"),
    into: built,
    diskGiB: 1,
    programs: [
      {
        name: "pulumi-language-nodejs",
        package: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
      },
    ],
  });
  const bin = await goBuild({
    modules: join(modules, "pulumi"),
    into: built,
    diskGiB: 5,
    programs: [
      {
        name: "pulumi",
        package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        // without it `pulumi version` prints nothing
        ldflags: `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${VERSION}`,
      },
    ],
  });
  return withDynamicProvider(bin);
}

/** Beside the engine, where official releases have it: met on PATH instead, the engine warns of it on every line. */
function withDynamicProvider(bin: string): string {
  const beside = join(bin, DYNAMIC_PROVIDER);
  if (isProgram(beside)) return bin;
  const unfinished = `${beside}.${process.pid}`;
  copyFileSync(join(sdk, DYNAMIC_PROVIDER), unfinished);
  chmodSync(unfinished, 0o755);
  renameSync(unfinished, beside);
  return bin;
}

/** A folder with both programs in it. */
export function isWhole(bin: string): boolean {
  return ["pulumi", "pulumi-language-nodejs"].every((name) => isProgram(join(bin, name)));
}

export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
