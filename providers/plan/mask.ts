/** Pure: what looks secret in a line of text. */
const secretWord =
  "(?:pass(?:word|phrase|wd)?|secret|token|auth(?:entication|orization)?|encryption|credential|private|api_?key|bindpw)";
/** Whether a key's name says that its value is a secret. */
export const isSecretKey = (key: string): boolean => new RegExp(secretWord, "i").test(key);

const keyed = new RegExp(
  String.raw`(?<![\w.-])(["']?[\w.-]*${secretWord}[\w.-]*["']?(?:\s*[:=]\s*|\s+))("(?:\\.|[^"\\])*(?:"|$)|'[^']*(?:'|$)|\S.*?(?=\s+[\w.-]+=|$))`,
  "gi",
);

/**
 * Masks what looks secret in a line, keeping its key: `bindPassword: x`, `stats auth u:p`, `key='x'`, a URL's password,
 * long runs of base64. Rather too much than too little.
 */
export function maskLine(line: string): string {
  if (/-----BEGIN|^[+\- ]?\s*[A-Za-z0-9+/=]{60,}$/.test(line)) return `${line.slice(0, 1)}[masked]`;
  return line
    .replace(/(:\/\/[^\s/:@]*:)[^\s@]+@/g, "$1[masked]@")
    .replace(/[A-Za-z0-9+/=]{60,}/g, "[masked]")
    .replace(keyed, "$1[masked]");
}
