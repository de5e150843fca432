/** `guelab image ...`: the image of the docker lab's hosts. */
import { Command } from "commander";
import {
  buildImage,
  DEFAULT_IMAGE,
  DEFAULT_MIRROR,
  DEFAULT_SUITE,
  debootstrapImage,
  listImages,
  removeImage,
} from "../lab/docker/image.ts";

const TAG = ["--tag <name>", "name of the image", DEFAULT_IMAGE] as const;

interface BuildOptions {
  tag: string;
  fromDebootstrap?: boolean;
  mirror?: string;
  suite?: string;
}

export function imageCommand(): Command {
  const image = new Command("image")
    .description("build, list and remove the image of the docker lab's hosts")
    .addHelpText("after", "\nThe daemon is the one that docker talks to: DOCKER_HOST names another.");
  image
    .command("build")
    .description("build it from debian:bookworm-slim, or from a Debian mirror without a registry")
    .option(...TAG)
    .option("--from-debootstrap", "from a Debian mirror, by debootstrap; needs root, takes about a minute")
    .option("--mirror <url>", `with --from-debootstrap: the mirror (default: ${DEFAULT_MIRROR})`)
    .option("--suite <name>", `with --from-debootstrap: the release (default: ${DEFAULT_SUITE})`)
    .action(async (options: BuildOptions, command: Command) => {
      const { tag, mirror, suite } = options;
      if (options.fromDebootstrap) await debootstrapImage(tag, progress, { mirror, suite });
      else if (mirror !== undefined || suite !== undefined)
        command.error("error: --mirror and --suite go with --from-debootstrap");
      else await buildImage(tag, progress);
      process.stdout.write(`built ${tag}\n`);
    });
  image
    .command("list")
    .description("list the images that were built so")
    .action(() => {
      for (const { name, id, size } of listImages()) process.stdout.write(`${name} ${id} ${size}\n`);
    });
  image
    .command("remove")
    .description("remove such an image")
    .argument("[name]", "name of the image", DEFAULT_IMAGE)
    .action((name: string) => {
      removeImage(name);
      process.stdout.write(`removed ${name}\n`);
    });
  return image;
}

const progress = (text: string): void => {
  process.stderr.write(text);
};
