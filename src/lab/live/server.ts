/** The live lab's side: takes commands on its socket, one lab, any number of clients. */
import { chmodSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { LabError } from "../../errors.ts";
import { errorLines } from "../../scenario/command-error.ts";
import { type ParseContext, parseCommand } from "../../scenario/parse-command.ts";
import { topologyContext } from "../../scenario/topology-context.ts";
import { quoteWord } from "../../scenario/words.ts";
import type { LinuxLab } from "../linux/lab.ts";
import { HOST_SOCKET, hostDir, privateDir, removeLive, socketPath } from "./paths.ts";
import { EXIT_HEADER, type LiveAnswer, type LiveStatus, unpackWords } from "./protocol.ts";

/** A command is a line, not a file. */
const BODY_MAX = 65_536;

export class LiveServer {
  private readonly lab: LinuxLab;
  private readonly prefix: string;
  private readonly context: ParseContext;
  private readonly servers: Server[] = [];
  /** Called when a command has taken the lab down, after it was answered. */
  private readonly onStop: () => void;

  constructor(lab: LinuxLab, onStop: () => void) {
    this.lab = lab;
    this.prefix = lab.site.prefix;
    this.context = topologyContext(lab.topology);
    this.onStop = onStop;
  }

  /** Listens on the lab's socket and on each host's own. */
  async open(): Promise<void> {
    await this.listen(socketPath(this.prefix), undefined);
    for (const host of this.lab.world.hosts.keys()) {
      const dir = hostDir(this.prefix, host);
      privateDir(dir);
      await this.listen(join(dir, HOST_SOCKET), host);
    }
  }

  close(): void {
    for (const server of this.servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
    removeLive(this.prefix);
  }

  private async listen(path: string, host: string | undefined): Promise<void> {
    const server = createServer((request, response) => {
      this.handle(request, response, host).catch((err) => {
        process.stderr.write(`${err instanceof Error ? err.stack : err}\n`);
        response.destroy();
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
    this.servers.push(server);
  }

  private async handle(request: IncomingMessage, response: ServerResponse, host: string | undefined): Promise<void> {
    const answer = (text: string, exit = 0): void => {
      response.writeHead(200, { "content-type": "text/plain; charset=utf-8", [EXIT_HEADER]: exit });
      response.end(text);
    };
    if (request.method === "GET" && request.url === "/") return answer(JSON.stringify(this.status()));
    if (request.method !== "POST" || request.url !== "/command") {
      response.writeHead(404).end("not found\n");
      return;
    }
    const body = await readBody(request);
    if (body === undefined) {
      response.writeHead(413).end("too long\n");
      return;
    }
    const { exit, text } = await this.command(unpackWords(body), host);
    if (!this.lab.isUp) {
      // Before the answer: whoever has it finds nothing of the lab.
      removeLive(this.prefix);
      response.once("finish", this.onStop);
    }
    answer(text, exit);
  }

  private async command(words: readonly string[], host: string | undefined): Promise<LiveAnswer> {
    const line = words.map(quoteWord).join(" ");
    try {
      const command = parseCommand(line, { ...this.context, host });
      if (host !== undefined && command.spec.scope === "lab")
        throw new LabError("ERR_NOT_ON_HOST", `${command.spec.name} is a command of the lab, not of a host`, {
          hint: `Run it outside of the hosts: guelab ${line}`,
        });
      const { output, data } = await this.lab.run(command);
      return { exit: data.error === undefined ? 0 : 1, text: output.map((l) => `${l}\n`).join("") };
    } catch (err) {
      if (!(err instanceof LabError)) throw err;
      return {
        exit: 2,
        text: errorLines(line, err)
          .map((l) => `${l}\n`)
          .join(""),
      };
    }
  }

  private status(): LiveStatus {
    const { lab, prefix } = this;
    const hosts = [...lab.world.hosts.values()].map(({ def, ns }) => ({
      name: def.name,
      netns: ns.path,
      container: lab.kind === "docker" ? ns.name : undefined,
      nics: def.nics.map((n) => n.name),
    }));
    return { prefix, kind: lab.kind, topology: lab.topology.name, pid: process.pid, hosts };
  }
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > BODY_MAX) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}
