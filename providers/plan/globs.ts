/** A path pattern of our own tables as an expression: `*` is anything but a slash, every other character is itself. */
export const globExpression = (glob: string): RegExp =>
  new RegExp(`^${glob.replace(/[.+()|^$?{}[\]\\]/g, "\\$&").replaceAll("*", "[^/]*")}$`);
