/** Pure: what an archive holds, as its manifest lists it. */

/** One entry of an archive. */
export interface ArchiveEntry {
  /** As in the archive, relative to `/`: `etc/origin/master/ca.crt`; a name that is no UTF-8 has U+FFFD in it. */
  readonly path: string;
  readonly type: "file" | "folder" | "symlink" | "link" | "other";
  /** Four octal digits. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file, holes included. */
  readonly size: number;
  /** Of a file's content, hexadecimal; missing for files of more than 64 GiB with holes. */
  readonly sha256?: string;
  /** What a link points to. */
  readonly target?: string;
}

/** Where the certificate authorities keep their serials: text that is no secret and tells which backup has the newest. */
export const serialFiles: readonly string[] = [
  "etc/origin/master/ca.serial.txt",
  "etc/etcd/ca/serial",
  "etc/origin/master/etc/etcd/ca/serial",
];
