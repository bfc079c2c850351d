/** One line of progress on stderr, with the time since this process started: `[ 12 s] building pulumi`. */
export function say(text: string): void {
  process.stderr.write(`[${Math.round(process.uptime()).toString().padStart(3)} s] ${text}\n`);
}

/** Announces `text`, runs `work` and tells how long it took, whether it succeeded or not. */
export async function step<T>(text: string, work: () => Promise<T> | T): Promise<T> {
  const started = Date.now();
  say(`${text} …`);
  try {
    const result = await work();
    say(`${text}: done in ${seconds(Date.now() - started)}`);
    return result;
  } catch (error) {
    say(`${text}: failed after ${seconds(Date.now() - started)}`);
    throw error;
  }
}

/** Milliseconds as people read them: `0.4 s`, `12 s`, `4 min 27 s`. */
export function seconds(milliseconds: number): string {
  if (milliseconds < 9_950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const whole = Math.round(milliseconds / 1000);
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/**
 * The last thing a script does: runs `work` and turns what it throws into an exit code. An error meant for people
 * (`Missing`, `Failed`, a refusal) is its sentence; any other is a defect of ours and keeps its stack trace.
 */
export async function main(work: () => Promise<number | undefined>): Promise<void> {
  try {
    process.exitCode = (await work()) ?? 0;
  } catch (error) {
    const forPeople = error instanceof Error && error.name !== "Error" && !(error.name in globalThis);
    process.stderr.write(
      `${forPeople ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exitCode = 1;
  }
}
