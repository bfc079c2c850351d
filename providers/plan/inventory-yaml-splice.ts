/** Pure: changes of a text by offsets. */

/** In place of the text from one offset to the other, this one. */
export interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Where two begin at the same place, what is put in stands in front of what goes. */
export const spliced = (text: string, splices: readonly Splice[]): string =>
  splices
    .toSorted((a, b) => b.from - a.from || b.to - a.to)
    .reduce((now, { from, to, text: put }) => now.slice(0, from) + put + now.slice(to), text);

/** Behind the line's end. */
export const lineEnd = (text: string, at: number): number => {
  const feed = text.indexOf("\n", at);
  return feed < 0 ? text.length : feed + 1;
};
export const lineStart = (text: string, at: number): number => (at === 0 ? 0 : text.lastIndexOf("\n", at - 1) + 1);
