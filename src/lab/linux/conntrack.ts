/** Connection tracking of a namespace: its entries as `conntrack -L` prints them, and emptying it, without conntrack-tools. */
import { readFileSync } from "node:fs";
import { AF_NETLINK, closeSocket, type Namespace, SOCK_RAW, send, socket } from "./sys.ts";

const NETLINK_NETFILTER = 12;
const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const NLM_F_REQUEST = 1;

/** One line per entry; none where the kernel does not track connections or has no list of them. */
export function conntrackLines(ns: Namespace): string[] {
  let text: string;
  try {
    text = ns.enter(() => readFileSync("/proc/thread-self/net/nf_conntrack", "utf8"));
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw err;
  }
  return text
    .split("\n")
    .filter((l) => l.startsWith("ipv4"))
    .map((l) => l.replace(/^ipv4\s+2\s+/, "").replace(/ zone=\d+/, ""));
}

/** conntrack -F: a netlink message IPCTNL_MSG_CT_DELETE that names no entry. */
export function flushConntrack(ns: Namespace): void {
  const fd = ns.enter(() => socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER));
  try {
    const message = new Uint8Array(20);
    const view = new DataView(message.buffer);
    view.setUint32(0, message.length, true);
    view.setUint16(4, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE, true);
    view.setUint16(6, NLM_F_REQUEST, true);
    message[16] = 2; // AF_INET
    const address = new Uint8Array(12);
    address[0] = AF_NETLINK;
    send(fd, message, address);
  } finally {
    closeSocket(fd);
  }
}
