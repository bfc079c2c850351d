/** The final report: looks at the retired host once more, tells, and keeps what was told. Changes nothing. */
import { credentials } from "../../plan/credentials.ts";
import { type CredentialFacts, credentialFacts, credentialsScript } from "../../plan/credentials-script.ts";
import type { Unreachable } from "../../plan/facts.ts";
import { renderReport } from "../../plan/report-told.ts";
import { type RetirementRecord, recordOf } from "../../plan/report.ts";
import type { Step } from "../../plan/steps.ts";
import { askHost } from "../ask-host.ts";
import { type Context, hostOf } from "./context.ts";

/** Never fails for the host: one that cannot be asked is reported as such. */
export async function report(context: Context, step: Extract<Step, { do: "report" }>): Promise<RetirementRecord> {
  const backupDirectory = context.change.settings.backup.directory;
  const record = recordOf({
    name: step.host,
    at: new Date().toISOString(),
    findings: step.findings,
    notSwept: step.notSwept,
    seen: step.gone === undefined ? await inspect(context, step.host, backupDirectory) : { unreachable: step.gone },
    backupDirectory,
  });
  for (const line of renderReport(step.host, record)) context.say(line);
  return record;
}

function inspect(context: Context, name: string, directory: string): Promise<CredentialFacts | Unreachable> {
  const table = credentials(name, directory);
  const asked = { what: "looking for credentials", deadline: 60, limit: 2 ** 20 };
  return askHost(hostOf(context, name), credentialsScript(table), asked, (stdout) => credentialFacts(stdout, table));
}
