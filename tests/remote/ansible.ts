/** Asks the Ansible that is installed here how it reads inventories: one process for any number of them. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const program = spawnSync("sh", ["-c", "command -v ansible-inventory"], { encoding: "utf8" }).stdout.trim();

/** For a test's `skip`: `npm test` installs it, so only a run of a single file may lack it. */
export const withoutAnsible =
  program === "" ? "there is no ansible-inventory here (apt-get install ansible-core)" : false;

/** A file's name (its extension says how it is read) and its text. */
export type NamedText = readonly [name: string, text: string];

export interface Case {
  readonly files: readonly NamedText[];
  /** Values as a file spells them, to be read as that form reads them. */
  /** As with `hash_behaviour = merge` in ansible.cfg. */
  readonly merge?: boolean;
  readonly values?: readonly (readonly ["ini" | "yaml", string])[];
}

export type Seen =
  | { readonly error: string }
  | {
      readonly error?: never;
      /** Every group of a host, `all` included, sorted; its merged variables, each spelt with its type. */
      readonly hosts: Readonly<Record<string, { groups: string[]; variables: Record<string, string> }>>;
      /** Group → hosts, in Ansible's order. */
      readonly groups: Readonly<Record<string, string[]>>;
      /** `values` of the case, spelt with their types. */
      readonly values: readonly string[];
    };

/** What Ansible says of each case, in their order. */
export function askAnsible(cases: readonly Case[]): Seen[] {
  const python = /^#! *(\S+)/.exec(readFileSync(program, "utf8"))?.[1] ?? "python3";
  const { status, stdout, stderr } = spawnSync(python, [join(import.meta.dirname, "ansible-eyes.py")], {
    input: JSON.stringify(cases),
    encoding: "utf8",
    maxBuffer: 2 ** 30,
    timeout: 300_000,
  });
  if (status !== 0) throw new Error(`ansible-eyes.py ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as Seen[];
}
