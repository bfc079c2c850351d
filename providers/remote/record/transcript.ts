/** The transcript: a file of this machine that is only ever appended to, each line in one write. */
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** Beside the archive of backups. */
export const transcriptIn = (archive: string): string => join(archive, "transcript.jsonl");

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;

export class Transcript {
  readonly path: string;
  /** What lies before the end of the file may be half a line: of somebody who was killed, or of a disk that was full. */
  #torn = true;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes it, with its folder if need be.
   * @throws what the file system says, or Error when something else lies there
   */
  prepare(): void {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    this.#opened((file) => {
      // one that may only be appended to (chattr +a) takes no new mode, and needs none
      if ((fstatSync(file).mode & 0o777) !== 0o600) chmodSync(this.path, 0o600);
    });
  }

  /**
   * Opened anew for each line: a transcript that was moved away meanwhile begins again.
   * @param lasting it must outlive a power failure
   * @throws what the file system says; what was written of the line by then counts for nothing
   */
  append(line: string, lasting = false): void {
    this.#opened((file) => {
      const bytes = Buffer.from(`${this.#torn && !endsWhole(file) ? "\n" : ""}${line}\n`);
      this.#torn = true;
      const written = writeSync(file, bytes);
      if (written < bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes could be written`);
      this.#torn = false;
      if (lasting) fsyncSync(file);
    });
  }

  #opened(work: (file: number) => void): void {
    // neither through a link nor, for ever, into a pipe
    const file = openSync(this.path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    try {
      if (!fstatSync(file).isFile()) throw new Error("it is not a file");
      work(file);
    } finally {
      closeSync(file);
    }
  }
}

function endsWhole(file: number): boolean {
  const { size } = fstatSync(file);
  const last = Buffer.alloc(1);
  return size === 0 || (readSync(file, last, 0, 1, size - 1) === 1 && last[0] === 10);
}
