import { describe, expect, it } from "vitest";
import { dataFile, hashSource, requestBody } from "../../src/sim/content.ts";
import { type HttpRequestOptions, type HttpResult, httpRequest } from "../../src/sim/http-client.ts";
import { HttpServer } from "../../src/sim/http-server.ts";
import { sha256 } from "../../src/sim/sha256.ts";
import { SEC } from "../../src/sim/types.ts";
import { Peer, source } from "./tcp/peer.ts";
import { ADDR_A, ADDR_B, Pipe } from "./tcp/pipe.ts";

function lab(seed = 1) {
  const pipe = new Pipe(seed);
  pipe.record = false;
  const server = new HttpServer(pipe.b, { addr: ADDR_B, port: 4000, serviceId: "200", node: "node2" });
  const get = (options: Partial<HttpRequestOptions>): HttpResult => {
    let result: HttpResult | undefined;
    httpRequest(pipe.a, { ip: ADDR_B, port: 4000, path: "/hello", ...options }, (r) => (result = r));
    expect(result).toBeUndefined();
    pipe.clock.runUntil(() => result !== undefined, pipe.clock.now + 1000 * SEC);
    return result!;
  };
  /** Sends raw bytes, one write per piece, and gives everything that comes back. */
  const raw = (...pieces: string[]): string => {
    const peer = new Peer({
      connected: (s) => {
        for (const p of pieces) s.write(source(new TextEncoder().encode(p)));
      },
      ended: (s) => s.end(),
    });
    const socket = pipe.a.connect(ADDR_B, 4000, peer);
    pipe.run(SEC);
    socket.end();
    pipe.run(SEC);
    return new TextDecoder().decode(peer.bytes);
  };
  return { pipe, server, get, raw };
}

describe("requests", () => {
  it("GET /hello says who answers", () => {
    const r = lab().get({});
    expect(r).toMatchObject({
      status: 200,
      reason: "OK",
      body: "HELLO '200' from 'node2' listening on 10.0.0.2:4000",
      error: undefined,
    });
    expect(r.headers["content-length"]).toBe(String(r.size));
    // SYN, SYN/ACK, request, answer: two round trips of 100 us.
    expect(r.timeNs).toBe(200_000);
  });

  it("GET of a data file is the file, also under faults", () => {
    const { pipe, get } = lab();
    pipe.faults = { loss: 0.02, duplicate: 0.02, reorder: 0.02, corrupt: 0.01 };
    const r = get({ path: "/data_2M.bin" });
    expect(r).toMatchObject({ status: 200, size: 2 * 1_048_576, body: undefined, error: undefined });
    expect(r.sha256).toBe(hashSource(dataFile("data_2M.bin")!, sha256()));
  });

  it("POST answers with the length and the hash of what it got", () => {
    const body = requestBody(1_234_567);
    const r = lab().get({ path: "/", body });
    expect(JSON.parse(r.body!)).toEqual({ length: 1_234_567, sha256: hashSource(body, sha256()) });
  });

  it("HEAD, unknown names, other methods", () => {
    const { get, server } = lab();
    expect(get({ method: "HEAD", path: "/data_100M.bin" })).toMatchObject({ status: 200, size: 0 });
    expect(get({ path: "/nothing" })).toMatchObject({ status: 404, body: "not found\n" });
    const put = get({ method: "PUT", path: "/hello" });
    expect(put.status).toBe(405);
    expect(put.headers.allow).toBe("GET, HEAD, POST");
    expect(server.requests).toBe(3);
  });

  it("from a chosen port, twice in a row", () => {
    const { get } = lab();
    expect(get({ localPort: 33000 })).toMatchObject({ status: 200, localPort: 33000 });
    expect(get({ localPort: 33000 })).toMatchObject({ status: 200, localPort: 33000 });
    const { localPort } = get({});
    expect(localPort).toBeGreaterThanOrEqual(32768);
    expect(localPort).toBeLessThanOrEqual(60999);
  });

  it("several connections at a time", () => {
    const { pipe } = lab();
    const results: HttpResult[] = [];
    for (let i = 0; i < 20; i++) {
      httpRequest(pipe.a, { ip: ADDR_B, port: 4000, path: "/data_1M.bin" }, (r) => results.push(r));
    }
    pipe.run(20 * SEC);
    const want = hashSource(dataFile("data_1M.bin")!, sha256());
    expect(results.map((r) => r.sha256)).toEqual(new Array(20).fill(want));
  });
});

describe("errors", () => {
  it("name what went wrong", () => {
    const { pipe, get, server } = lab();
    expect(get({ port: 4001 })).toMatchObject({ error: "ECONNREFUSED", status: 0 });
    expect(get({ ip: 0x08080808 })).toMatchObject({ error: "ENETUNREACH" });
    pipe.faults = { loss: 1, duplicate: 0, reorder: 0, corrupt: 0 };
    expect(get({ timeoutNs: 5 * SEC })).toMatchObject({ error: "ETIMEDOUT", timeNs: 5 * SEC });
    // 1 + 2 + 4 + 8 + 16 + 32 + 64 s: six retries and the wait for the last.
    expect(get({})).toMatchObject({ error: "ETIMEDOUT", timeNs: 127 * SEC });
    pipe.faults = { loss: 0, duplicate: 0, reorder: 0, corrupt: 0 };
    let result: HttpResult | undefined;
    httpRequest(pipe.a, { ip: ADDR_B, port: 4000, path: "/data_100M.bin" }, (r) => (result = r));
    pipe.run(2_000_000);
    server.close();
    pipe.run(SEC);
    expect(result).toMatchObject({ error: "ECONNRESET", status: 200 });
    expect(get({})).toMatchObject({ error: "ECONNREFUSED" });
  });

  it("an endpoint can be listened on once", () => {
    const { pipe } = lab();
    const again = () => new HttpServer(pipe.b, { addr: ADDR_B, port: 4000, serviceId: "201", node: "node2" });
    expect(again).toThrowError(expect.objectContaining({ code: "ERR_ENDPOINT_IN_USE" }));
  });
});

describe("the server, byte by byte", () => {
  const HELLO = "HELLO '200' from 'node2' listening on 10.0.0.2:4000";
  const statuses = (answer: string): string[] => [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((m) => m[1]);

  it("answers pipelined requests in order and keeps the connection", () => {
    const { raw } = lab();
    const answer = raw(
      "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /no HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    expect(statuses(answer)).toEqual(["200", "200", "404"]);
    expect(answer.indexOf(HELLO)).toBeLessThan(answer.indexOf('"length":3'));
    expect(answer).not.toContain("Connection: close");
  });

  it("takes a request in single bytes, with a chunked body", () => {
    const { raw } = lab();
    const request =
      "\r\nPOST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nT: 1\r\n\r\n";
    expect(raw(...request)).toContain(
      '{"length":6,"sha256":"ce06092fb948d9ffac7d1a376e404b26b7575bcc11ee05a4615fef4fec3a308b"}',
    );
  });

  it("closes after HTTP/1.0 and after Connection: close, and sends 100 Continue", () => {
    const { raw } = lab();
    expect(raw("GET /hello HTTP/1.0\r\n\r\n")).toContain("Connection: close");
    const two = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    expect(statuses(raw(two + two))).toEqual(["200"]);
    const expecting = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    expect(statuses(raw(expecting, "a"))).toEqual(["100", "200"]);
  });

  it.each([
    ["garbage", "GARBAGE\r\n\r\n", "400"],
    ["no host", "GET /hello HTTP/1.1\r\n\r\n", "400"],
    ["two hosts", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"],
    ["space before the colon", "GET /hello HTTP/1.1\r\nHost : a\r\n\r\n", "400"],
    ["a folded line", "GET /hello HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "400"],
    ["another version", "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", "505"],
    ["a length that is none", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\n", "400"],
    ["two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"],
    [
      "length and chunks",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "400",
    ],
    ["an unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501"],
    ["a bad chunk", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"],
    ["a long head", `GET /hello HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(20_000)}\r\n\r\n`, "431"],
    ["many fields", `GET /hello HTTP/1.1\r\nHost: a\r\n${"X: y\r\n".repeat(101)}\r\n`, "431"],
  ])("refuses %s and closes", (_name, request, status) => {
    const answer = lab().raw(request);
    expect(statuses(answer)).toEqual([status]);
    expect(answer).toContain("Connection: close");
  });
});

describe("the client, against answers of other servers", () => {
  /** A server that answers every connection with fixed bytes in pieces, then closes if told to. */
  function against(pieces: string[], close: boolean): HttpResult {
    const pipe = new Pipe();
    pipe.b.listen(
      0,
      80,
      () =>
        new Peer({
          connected: (s) => {
            for (const p of pieces) s.write(source(new TextEncoder().encode(p)));
            if (close) s.end();
          },
        }),
    );
    let result: HttpResult | undefined;
    httpRequest(pipe.a, { ip: ADDR_B, port: 80, path: "/", timeoutNs: SEC, localAddr: ADDR_A }, (r) => (result = r));
    pipe.run(2 * SEC);
    return result!;
  }

  it("reads chunks, bodies that end with the connection, interim answers", () => {
    const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";
    expect(against([...chunked], false)).toMatchObject({ status: 200, body: "abc0123456789", error: undefined });
    expect(against(["HTTP/1.0 200\r\n\r\n", "to the end"], true)).toMatchObject({
      body: "to the end",
      error: undefined,
    });
    const interim = "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n";
    expect(against([interim], false)).toMatchObject({ status: 302, headers: { location: "/x" }, body: "" });
  });

  it("reports what is malformed or too short", () => {
    expect(against(["SMTP ready\r\n\r\n"], false).error).toBe("EPROTO");
    expect(against(["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], true)).toMatchObject({
      error: "EPROTO",
      size: 4,
    });
    expect(against([], true).error).toBe("EPROTO");
    expect(against(["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], false).error).toBe("ETIMEDOUT");
  });
});
