/** Pure: a host's word as Ansible's `parse_address` takes it apart. */
import { expandPattern } from "./inventory-ranges.ts";

/** A host's name or range, without port and brackets. */
export interface Pattern {
  readonly pattern: string;
  /** A port behind the name: `host:2222`. */
  readonly port: string | undefined;
  /** Where the pattern begins in the word. */
  readonly at: number;
  /** The hosts it stands for, in Ansible's order. */
  readonly names: readonly string[];
}

/**
 * Takes the port off: `host:22`, `m[1:3]:22`, `[fd00::1]:22`. What is no host name or address keeps it, as with Ansible.
 * @throws RangeError for a range that cannot be understood
 */
export function patternOf(word: string): Pattern {
  if (!/[:[\]]/.test(word)) return { pattern: word, port: undefined, at: 0, names: [word] };
  const { pattern, port, at } = withoutPort(word);
  const isRange = /[[\]]/.test(pattern);
  if (isRange && pattern.includes("|")) throw new RangeError(`${pattern} has a "|" beside a range`);
  return { pattern, port, at, names: isRange ? expandPattern(pattern) : [pattern] };
}

function withoutPort(word: string): Omit<Pattern, "names"> {
  const bracketed = /^\[(.+)\]:(\d+)$/.exec(word);
  const inside = bracketed?.[1] ?? word;
  const plain = /^((?:[^:[\]]|\[[^\]]*\])*):(\d+)$/.exec(inside);
  const pattern = plain?.[1] ?? inside;
  const port = plain?.[2] ?? bracketed?.[2];
  return port !== undefined && isAddress(pattern)
    ? { pattern, port: String(Number(port)), at: bracketed ? 1 : 0 }
    : { pattern: word, port: undefined, at: 0 };
}

/** An IPv4 or IPv6 address or a host name, ranges allowed in each. */
function isAddress(text: string): boolean {
  const decimal = text.replace(/\[\d+:\d+(?::\d+)?\]/g, "0");
  const hex = text.replace(/\[[0-9a-f]+:[0-9a-f]+(?::\d+)?\]/gi, "0");
  const name = text.replace(/\[(?:[a-z]:[a-z]|\d+:\d+)(?::\d+)?\]/gi, "a");
  return isIPv4(decimal) || isIPv6(hex) || isHostName(name);
}

const isIPv4 = (text: string): boolean =>
  text.split(".").length === 4 && text.split(".").every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);

function isIPv6(text: string): boolean {
  const halves = text.split("::");
  const parts = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const few = halves.length === 2 ? parts.length <= 7 : halves.length === 1 && parts.length === 8;
  return few && parts.every((part, at) => /^[0-9a-f]{1,4}$/i.test(part) || (at === parts.length - 1 && isIPv4(part)));
}

/** Each label begins with a letter, digit or underscore and does not end with a hyphen or an underscore. */
const isHostName = (text: string): boolean =>
  text.split(".").every((label) => /^[\p{L}\p{N}_][\p{L}\p{N}_-]*(?<![_-])$/u.test(label));
