import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { parseFilter } from "../../src/wire/filter.ts";
import { readCapture } from "../../src/wire/pcap-reader.ts";
import { PcapngWriter, pcapngBuffer } from "../../src/wire/pcapng.ts";
import { FRAMES, ODD_FRAMES } from "../support/frames.ts";
import { itWith, runTool, withFile } from "../support/tools.ts";

/** Frames that are cut short are left out: libpcap looks at a byte where this looks for a whole header. */
const whole = Object.entries(ODD_FRAMES).filter(([name]) => !/\d\d$/.test(name));
const all: Record<string, Uint8Array> = { ...FRAMES, ...Object.fromEntries(whole) };
const matching = (filter: string, tunnelPorts: number[] = []): string[] => {
  const test = parseFilter(filter, { tunnelPorts });
  return Object.keys(FRAMES).filter((name) => test(FRAMES[name]));
};

/** Filters that libpcap knows too. */
const COMMON = [
  "udp and port 5000",
  "tcp",
  "icmp",
  "arp",
  "ip",
  "not arp",
  "! udp",
  "host 5.5.5.5",
  "src host 172.1.0.3",
  "dst 172.1.0.2",
  "net 172.1.0.0/16",
  "net 10",
  "src net 2.2.2.0/24",
  "port 4000",
  "tcp src port 4000",
  "udp dst port 5000 or 6000",
  "portrange 5000-6000",
  "tcp or udp and port 5000",
  "tcp or (udp and port 5000)",
  "(arp || icmp) && not host 5.5.5.5",
  "arp host 172.1.0.3",
  "ether src host 02:00:00:01:00:05",
  "ether host 02:00:00:01:00:05",
  "less 60",
  "greater 100 and not tcp",
  "not (tcp or udp or icmp or arp)",
  "port 9 or port 10 or host 10.0.0.1",
  "vlan",
];

describe("parseFilter", () => {
  it("picks packets by protocol, address and port", () => {
    expect(matching("udp and port 5000")).toEqual(["gueData", "guePing", "guePingOld"]);
    expect(matching("src 5.5.5.5")).toEqual(["pong", "portUnreachable"]);
    expect(matching("arp and src host 172.1.0.3")).toEqual(["arpReply"]);
    expect(matching("")).toEqual(Object.keys(FRAMES));
  });

  it("knows GUE by its bytes, port 6080 and the ports it is told", () => {
    expect(matching("gue")).toEqual(["gueData", "guePing", "guePingOld", "guePlain"]);
    expect(matching("gue", [3200])).toEqual(["udp", "gueData", "guePing", "guePingOld", "guePlain"]);
  });

  itWith("tcpdump", "lets through what libpcap lets through", () => {
    const buf = pcapngBuffer();
    const w = new PcapngWriter(buf.sink);
    const id = w.addInterface({ name: "eth1" });
    Object.values(all).forEach((f, i) => {
      w.packet(id, i * 1_000_000, f);
    });
    withFile("a.pcapng", buf.bytes(), (path) => {
      for (const filter of COMMON) {
        const { out } = runTool("sh", ["-c", `tcpdump -r ${path} -w - "$0" 2>/dev/null | base64 -w0`, filter]);
        const theirs = readCapture(Uint8Array.from(atob(out), (c) => c.charCodeAt(0)));
        const names = theirs.packets.map((p) => Object.keys(all)[p.nsec / 1_000_000]);
        const test = parseFilter(filter);
        expect([filter, Object.keys(all).filter((n) => test(all[n]))]).toEqual([filter, names]);
      }
    });
  });

  it.each([
    ["udp and", 8, "a condition is expected"],
    ["udp and prot 5000", 9, '"prot" is no filter word'],
    ["port x", 6, 'found "x"'],
    ["port 70000", 6, "a port is expected"],
    ["port", 5, "found the end"],
    ["(tcp", 5, '")" is missing'],
    ["tcp)", 4, '")" without "("'],
    ["tcp udp", 5, "where and, or or the end is expected"],
    ["host 1.2.3", 6, "an IPv4 address"],
    ["net 1.2.3.4/33", 5, "a network"],
    ["portrange 9-3", 11, "a range"],
    ["icmp port 5", 11, "icmp has no ports"],
    ["ether host 1.2.3.4", 12, "a MAC address"],
    ["tcp & udp", 5, "is expected"],
    ["443", 1, "is no filter word"],
  ])("names the column of the mistake in %j", (filter, column, message) => {
    let err: unknown;
    try {
      parseFilter(filter);
    } catch (e) {
      err = e;
    }
    expect(err).toBeInstanceOf(LabError);
    const e = err as LabError;
    expect([e.code, e.position]).toEqual(["ERR_FILTER_SYNTAX", { file: "filter", line: 1, column }]);
    expect(e.message).toContain(message);
  });
});
