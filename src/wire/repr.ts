/** All reprs in one place: `parseX` gives a plain object or undefined and never throws, `emitX` gives the bytes. */
export * from "./build.ts";
export * from "./repr-gue.ts";
export * from "./repr-icmp.ts";
export * from "./repr-ipv4.ts";
export * from "./repr-link.ts";
export * from "./repr-transport.ts";
