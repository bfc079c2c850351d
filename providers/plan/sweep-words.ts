/** Pure: how a host is named in a text, as one expression that the hosts' `grep -iE` and JavaScript understand alike. */
import type { Hosts } from "./facts.ts";
import { canonicalAddress } from "./same-host.ts";

/** What is looked for of one host. */
export interface Words {
  /** Its name and address, each whole: `192.168.55.21` is not `192.168.55.210`, `a.b` not `x.a.b`, `xa.b` or `a.b.c`. */
  readonly whole: string;
  /** The same, and the first label of its name: for `/etc/hosts` and leases, where a short name is a word of its own. */
  readonly short: string;
}

/** Neither side of a word may be one of these; `\` only where it escapes more of a name, as corsAllowedOrigins does. */
const within = "A-Za-z0-9_.";
const before = `(^|[^${within}\\\\-]|\\\\[nrt])`;
const behind = `($|[^${within}\\\\-]|[.]($|[^${within}\\\\-])|\\\\($|[^.-]))`;
// the colons of an IPv6 address are its own; one that ends a YAML key is not
const before6 = `(^|[^${within}:\\\\-]|\\\\[nrt])`;
const behind6 = `($|[^${within}:\\\\-]|[.]($|[^${within}\\\\-])|:($|[^0-9A-Fa-f:])|\\\\($|[^.-]))`;

/** Bare characters of a word; `.` and `-` also behind a backslash, as in the expressions of corsAllowedOrigins. */
const escaped = (word: string): string =>
  word.replace(/[^A-Za-z0-9_:]/g, (c) =>
    c === "-" ? "\\\\?-" : c === "\\" ? "\\\\" : c === "^" ? "\\^" : `\\\\?[${c}]`,
  );

/** @param others every other host that is known: a short name that another one has too says nothing */
export function wordsOf(name: string, address: string, others: Hosts = {}): Words {
  const plain = [...new Set([name, address])].filter((word) => /^[\x21-\x7e]+$/.test(word));
  const six = plain.filter((word) => word.includes(":"));
  const spelt = [...new Set(six.flatMap((word) => [word, canonicalAddress(word)]))];
  const rest = plain.filter((word) => !word.includes(":"));
  const short = name.split(".")[0] ?? "";
  const isOwn =
    short !== name && !/^\d*$/.test(short) && Object.keys(others).every((one) => one.split(".")[0] !== short);
  const sixth = spelt.length === 0 ? [] : [`${before6}(${spelt.map(escaped).join("|")})${behind6}`];
  const all = (words: readonly string[]) => [`${before}(${words.map(escaped).join("|")})${behind}`, ...sixth].join("|");
  return { whole: all(rest), short: all(isOwn ? [...rest, short] : rest) };
}

/** A line that only comments names nobody: the hosts' sweep leaves it out, and so does `linesNaming`. */
export const comment = "^[[:space:]]*[#;!]";

/** Numbers, from 1, of the lines that name the host. */
export function linesNaming(text: string, word: string): number[] {
  const named = new RegExp(word, "i");
  return text.split("\n").flatMap((line, n) => (named.test(line) && !/^\s*[#;!]/.test(line) ? [n + 1] : []));
}
