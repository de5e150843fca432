/**
 * No lab has a way out of the machine: whatever its hosts send to the outside, nothing of it is seen on any interface of the
 * machine's own namespace; and that namespace has no address of a lab and no way into it.
 */
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../src/ebpf/exec.ts";
import type { DataPathKind } from "../../src/lab/linux/data-path.ts";
import type { LinuxLab } from "../../src/lab/linux/lab.ts";
import { AF_PACKET, bindTo, closeSocket, receive, SOCK_RAW, sockaddrLl, socket } from "../../src/lab/linux/sys.ts";
import { openNetnsLab } from "../../src/lab/netns/lab.ts";
import { loadTopology } from "../../src/scenario/load.ts";
import { parseCommand } from "../../src/scenario/parse-command.ts";
import { ETH_HLEN } from "../../src/wire/ethernet.ts";
import { formatIpv4, ipDaddr, ipSaddr, parseIpv4 } from "../../src/wire/ipv4.ts";
import { describeNetns } from "./require.ts";

const scenarios = resolve(import.meta.dirname, "../../scenarios");
const tag = randomBytes(3).toString("hex");
const ETH_P_ALL = 3;
/** RFC 5737: nobody has it. Anything of a lab that got out would go there, or to the demo's own addresses. */
const OUTSIDE = "203.0.113.77";

/** Every packet that any interface of the machine's own namespace sees, from now on. */
class Watch {
  private readonly fd = socket(AF_PACKET, SOCK_RAW, ETH_P_ALL << 8);
  private readonly buf = new Uint8Array(65_536);

  constructor() {
    bindTo(this.fd, sockaddrLl(0, ETH_P_ALL));
  }

  /** Source and destination of what was seen, as text. */
  seen(): string[] {
    const out: string[] = [];
    for (let n = receive(this.fd, this.buf); n >= 0; n = receive(this.fd, this.buf))
      if (n >= ETH_HLEN + 20)
        out.push(`${formatIpv4(ipSaddr(this.buf, ETH_HLEN))} ${formatIpv4(ipDaddr(this.buf, ETH_HLEN))}`);
    return out;
  }

  close(): void {
    closeSocket(this.fd);
  }
}

describeNetns("a lab is sealed", () => {
  let watch: Watch;
  beforeAll(() => {
    watch = new Watch();
  });
  afterAll(() => watch.close());

  const outsideOf = (text: string): boolean =>
    text.includes(OUTSIDE) || /\b(5\.5\.5\.5|1\.1\.1\.1|172\.[12]\.0\.\d+)\b/.test(text);

  it("the watch sees what passes an interface of the machine", async () => {
    watch.seen();
    // To itself: a datagram by lo.
    const { createSocket } = await import("node:dgram");
    const s = createSocket("udp4");
    await new Promise<void>((done) => s.send("x", 9, "127.0.0.77", () => done()));
    s.close();
    expect(watch.seen().some((line) => line.endsWith("127.0.0.77"))).toBe(true);
  });

  it.each(["2gw.cfg", "basic.cfg"])("%s: what its hosts send to the outside stays inside", async (name) => {
    const topology = loadTopology(name, scenarios);
    const own = run("ERR_IP", "ip", ["-4", "-o", "addr"]) + run("ERR_IP", "ip", ["route"]);
    for (const dataPath of ["ebpf", "reference"] as DataPathKind[]) {
      const lab: LinuxLab = await openNetnsLab(topology, { prefix: `s${tag}`, record: true, dataPath });
      try {
        watch.seen();
        const play = (line: string) => lab.run(parseCommand(line, { hosts: topology.hosts.map((h) => h.name) }));
        for (const { def } of lab.world.hosts.values()) {
          await play(`${def.name} ping -c 1 -W 0.2 ${OUTSIDE}`);
          await play(`${def.name} udp --timeout 0.1 ${OUTSIDE} 9 64`);
          await play(`${def.name} curl -m 0.3 http://${OUTSIDE}/`);
        }
        // The packets were really sent: the hosts' own interfaces show them.
        const sent = lab
          .packets()
          .filter((p) => p.direction === "out" && ipDaddr(p.frame, ETH_HLEN) === parseIpv4(OUTSIDE));
        expect(sent.length).toBeGreaterThanOrEqual(topology.hosts.length);
        expect(watch.seen().filter(outsideOf)).toEqual([]);
        expect(run("ERR_IP", "ip", ["-4", "-o", "addr"]) + run("ERR_IP", "ip", ["route"])).toBe(own);
      } finally {
        await lab.close();
      }
    }
  });
});
