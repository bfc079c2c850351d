import type { HostIdentity } from "./host.ts";

const HEXTETS = 8;

/** One spelling per IPv6 address: `FD00:0::1` and `fd00::1` are the same machine. A name is lower-cased and loses its final dot. */
export function canonicalAddress(address: string): string {
  const lower = address.toLowerCase();
  if (!/^[0-9a-f:]*:[0-9a-f:]*$/.test(lower)) return lower.endsWith(".") ? lower.slice(0, -1) : lower;
  const halves = lower.split("::").map((half) => half.split(":").filter((hextet) => hextet !== ""));
  const [head = [], tail] = halves;
  const gap = tail === undefined ? 0 : HEXTETS - head.length - tail.length;
  if (halves.length > 2 || gap < 0) return lower;
  const hextets = [...head, ...Array.from({ length: gap }, () => "0"), ...(tail ?? [])];
  return hextets.map((hextet) => Number.parseInt(hextet, 16).toString(16)).join(":");
}

/** Whether an address is the host's: its name or one of its addresses, whole (10.0.0.12 is not 10.0.0.120). */
export const isAddressOf = (host: HostIdentity, address: string): boolean => addressOf(host)(address);

/** `isAddressOf` for many addresses of one host. */
export function addressOf({ name, addresses }: HostIdentity): (address: string) => boolean {
  const known = new Set([name, ...addresses].map(canonicalAddress));
  known.delete("");
  return (address) => known.has(canonicalAddress(address));
}

/** As an address stands in front of a port or in a URL: IPv6 in brackets. */
export const bracketed = (address: string): string => (address.includes(":") ? `[${address}]` : address);

/** Whether the text is an IP address, as opposed to a name that only DNS can tell the machine of. */
export function isIpLiteral(address: string): boolean {
  return /^\d+(?:\.\d+){3}$/.test(address) || (address.includes(":") && /^[0-9a-fA-F:.]+$/.test(address));
}

/** Whether what a host calls itself is this name, whole or its first label. */
export const isCalled = (called: string, name: string): boolean =>
  called !== "" && (called === name || name.startsWith(`${called}.`));
