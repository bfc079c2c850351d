/**
 * The masters in the pool of a load balancer that the administrator's own commands set (`kind: command`).
 * create and update run `set`, then `verify`; there is no delete, and no `triggers`: they would replace it, which deletes.
 */
import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { poolCommand, poolEnvironment } from "../providers/plan/pool-command.ts";
import type { CommandSettings } from "../providers/plan/settings.ts";

export interface CommandPoolArgs extends CommandSettings {
  /** Host name → `address:port` of its API. */
  readonly servers: Readonly<Record<string, string>>;
}

export class CommandPool extends local.Command {
  /** What was set and verified: `{ pool: { name: "address:port" } }`. */
  readonly pools: pulumi.Output<Record<string, Record<string, string>>>;

  constructor(name: string, args: CommandPoolArgs, options: pulumi.CustomResourceOptions) {
    const command = poolCommand(name, args);
    const secrets = Object.entries(args.environment).map(
      ([variable, value]) => [variable, pulumi.secret(value)] as const,
    );
    super(
      name,
      {
        create: command,
        update: command,
        // the pool stays readable in a preview: only the administrator's values are secret
        environment: { ...Object.fromEntries(secrets), ...poolEnvironment(name, args.servers) },
        // what the commands print is shown when they fail, and else nowhere: it may hold what only they know
        logging: local.Logging.None,
        addPreviousOutputInEnv: false,
      },
      { ...options, additionalSecretOutputs: ["stdout", "stderr"] },
    );
    this.pools = pulumi.output<Record<string, Record<string, string>>>({ pool: { ...args.servers } });
  }
}
