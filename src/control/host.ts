/** What the control plane asks of the host it runs on, simulated or real. */

/** A NIC as pfc_start finds it. Addresses are host order, the MTU is bytes. */
export interface ControlNic {
  name: string;
  ifindex: number;
  addr: number;
  mtu: number;
}

export interface ControlHost {
  readonly name: string;
  nic(name: string): ControlNic | undefined;
  nicNames(): string[];
  /** Puts the host's data path on both hooks of the NIC, or takes it off. */
  attach(nic: string): void;
  detach(nic: string): void;
  /** Sends one UDP datagram from exactly that local endpoint, whoever owns the port. */
  sendUdp(saddr: number, sport: number, daddr: number, dport: number, payload: Uint8Array): void;
  /** Calls `fn` every `intervalNs`, the first time after one interval, until the returned function is called. */
  every(intervalNs: number, fn: () => void): () => void;
}
