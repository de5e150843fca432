-- Wireshark dissector of GUE as True Ingress speaks it: draft-ietf-intarea-gue-09 section 3 (base header),
-- draft-ietf-intarea-gue-extensions (G and SEC), docs/wire-format.md of guelab. Twin of src/wire/dissect-gue.ts.
-- Part of guelab; `guelab wireshark install` puts it into the user's plugin folder.
--
--    0                   1                   2                   3
--    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
--   +---+-+---------+---------------+-------------------------------+
--   |ver|C|  Hlen   | proto / ctype |             flags             |
--   +---+-+---------+---------------+-------------------------------+
--   |            group id           |          service id           |
--   +-------------------------------+-------------------------------+
--   |                  security field (key), 16 bytes               |
--   +---------------------------------------------------------------+
--   |             tunnel id (control packets, Hlen 6)               |
--   +---------------------------------------------------------------+
--
-- SPDX-License-Identifier: MIT

-- Installed and named with -X as well, it is loaded twice; the first stays.
if package.loaded["gue_ti"] then return end
package.loaded["gue_ti"] = true

local GUE_PORT = 6080
local GUE_FLAGS = 0xa000
local HLEN_PLAIN, HLEN_DATA, HLEN_PING = 0, 5, 6
local PROTO_IPV4, CTYPE_PING = 4, 1
-- The base words of this dialect: data, ping, older ping.
local GUE_WORDS = { [0x0504a000] = true, [0x2601a000] = true, [0x2501a000] = true }
-- GUE within GUE within GUE: each level costs Lua some of its C stack, which has room for about 200 calls.
local MAX_DEPTH = 16

local gue = Proto("gue_ti", "Generic UDP Encapsulation (True Ingress)")

local f = {
  version = ProtoField.uint8("gue_ti.version", "Version", base.DEC, nil, 0xc0, "Must be 0"),
  control = ProtoField.bool("gue_ti.control", "Control message (C)", 8, nil, 0x20),
  hlen = ProtoField.uint8("gue_ti.hlen", "Header length (Hlen)", base.DEC, nil, 0x1f, "32-bit words behind the first"),
  proto = ProtoField.uint8("gue_ti.proto", "Protocol", base.DEC, { [4] = "IPv4", [41] = "IPv6" }, 0, "IP protocol of a data message"),
  ctype = ProtoField.uint8("gue_ti.ctype", "Control type", base.DEC, { [1] = "Ping" }),
  flags = ProtoField.uint16("gue_ti.flags", "Flags", base.HEX),
  flags_g = ProtoField.bool("gue_ti.flags.g", "Group identifier (G)", 16, nil, 0x8000),
  flags_sec = ProtoField.uint16("gue_ti.flags.sec", "Security field (SEC)", base.DEC, { [0] = "none", [2] = "128 bits" }, 0x7000),
  flags_other = ProtoField.uint16("gue_ti.flags.other", "Others", base.HEX, nil, 0x0fff),
  group = ProtoField.uint16("gue_ti.group", "Group id", base.DEC),
  service = ProtoField.uint16("gue_ti.service", "Service id", base.DEC),
  key = ProtoField.bytes("gue_ti.key", "Key", base.NONE, "Security field: the service's key"),
  key_text = ProtoField.string("gue_ti.key.text", "Key as text"),
  tunnel = ProtoField.uint32("gue_ti.tunnel", "Tunnel id", base.DEC, nil, 0, "Of a ping; an older ping means group << 16 | service"),
  fields = ProtoField.bytes("gue_ti.fields", "Fields of another dialect"),
  rest = ProtoField.bytes("gue_ti.rest", "Bytes without meaning"),
  drop = ProtoField.string("gue_ti.drop", "Dropped as", base.ASCII, "The reason for which the data path drops this packet"),
}
gue.fields = f

-- What the data path drops by the packet alone, on an endpoint that is a tunnel's; the texts are those of src/tables/reasons.ts.
local DROPS = {
  DROP_GUE_SHORT = "truncated GUE header",
  DROP_GUE_VERSION = "the GUE version is not 0",
  DROP_CTRL_HLEN = "GUE control packet whose Hlen is neither 5 nor 6",
  DROP_CTRL_TYPE = "GUE control packet of another type than 1",
  DROP_CTRL_FLAGS = "GUE control packet whose flags are not 0xa000",
  DROP_DATA_HLEN = "GUE data packet whose Hlen is neither 0 nor 5",
  DROP_DATA_PROTO = "GUE data packet that does not carry IPv4",
  DROP_DATA_FLAGS = "GUE data packet whose flags are not 0xa000",
  DROP_INNER_SHORT = "the datagram holds no whole inner IPv4 header",
  DROP_INNER_VERSION = "the inner IP version is not 4",
  DROP_INNER_IHL = "the inner IPv4 header length is below 20 bytes",
  DROP_INNER_TOTLEN = "the inner total length is below its header or beyond the datagram",
}
local experts, expert_of = {}, {}
for reason, text in pairs(DROPS) do
  local malformed = reason == "DROP_GUE_SHORT" or reason:find("^DROP_INNER_")
  local group = malformed and expert.group.MALFORMED or expert.group.PROTOCOL
  expert_of[reason] = ProtoExpert.new("gue_ti." .. reason:lower(), text, group, expert.severity.WARN)
  experts[#experts + 1] = expert_of[reason]
end
local too_deep = ProtoExpert.new("gue_ti.too_deep", "More GUE within GUE than is shown", expert.group.PROTOCOL, expert.severity.NOTE)
local cut = ProtoExpert.new("gue_ti.cut", "The capture holds only a part of the header", expert.group.UNDECODED, expert.severity.NOTE)
experts[#experts + 1] = too_deep
experts[#experts + 1] = cut
gue.experts = experts

gue.prefs.ports = Pref.range("Tunnel ports", "", "UDP ports on which everything is GUE, besides what is recognised by itself", 65535)

local ip_dissector = Dissector.get("ip")
local data_dissector = Dissector.get("data")
local depth = 0
-- Ports that the preference names.
local named = {}

-- The reason for which the data path drops the packet; nil when it looks at tables first, or passes it. `len` is the
-- length of the UDP payload on the wire, `tvb` may hold less. The order is that of src/dataplane/decap.ts.
local function drop_reason(tvb, len)
  if len < 4 then return "DROP_GUE_SHORT" end
  if tvb:len() < 4 then return nil end
  local first = tvb(0, 1)
  if first:bitfield(0, 2) ~= 0 then return "DROP_GUE_VERSION" end
  local hlen, proto, flags = first:bitfield(3, 5), tvb(1, 1):uint(), tvb(2, 2):uint()
  if len < 4 + hlen * 4 then return "DROP_GUE_SHORT" end
  if first:bitfield(2, 1) == 1 then
    if hlen ~= HLEN_DATA and hlen ~= HLEN_PING then return "DROP_CTRL_HLEN" end
    if proto ~= CTYPE_PING then return "DROP_CTRL_TYPE" end
    if flags ~= GUE_FLAGS then return "DROP_CTRL_FLAGS" end
    return nil
  end
  if hlen == HLEN_PLAIN then return nil end
  if hlen ~= HLEN_DATA then return "DROP_DATA_HLEN" end
  if proto ~= PROTO_IPV4 then return "DROP_DATA_PROTO" end
  if flags ~= GUE_FLAGS then return "DROP_DATA_FLAGS" end
  local room = len - 24
  if room < 20 then return "DROP_INNER_SHORT" end
  if tvb:len() < 28 then return nil end
  if tvb(24, 1):bitfield(0, 4) ~= 4 then return "DROP_INNER_VERSION" end
  local ihl, tot_len = tvb(24, 1):bitfield(4, 4) * 4, tvb(26, 2):uint()
  if ihl < 20 then return "DROP_INNER_IHL" end
  if tot_len < ihl or tot_len > room then return "DROP_INNER_TOTLEN" end
  return nil
end

-- looksLikeGue of src/wire/dissect-l4.ts: the exact base word, or on port 6080 a whole header that carries IPv4.
local function has_word(tvb)
  return tvb:len() >= 4 and GUE_WORDS[tvb(0, 4):uint()] == true
end

local function plausible(tvb)
  if tvb:len() < 4 then return false end
  local first = tvb(0, 1)
  return first:bitfield(0, 2) == 0 and tvb(1, 1):uint() == PROTO_IPV4 and 4 + first:bitfield(3, 5) * 4 <= tvb:reported_len()
end

-- Adds group, service, key and tunnel id; gives " 1/200" and, for a ping, " tunnel 65736".
local function add_fields(tvb, tree, hlen, control)
  local group, service = tvb(4, 2):uint(), tvb(6, 2):uint()
  tree:add(f.group, tvb(4, 2))
  tree:add(f.service, tvb(6, 2))
  local key = tree:add(f.key, tvb(8, 16))
  local text = tvb(8, 16):raw()
  if text:find("^[\32-\126]+$") then
    key:append_text(" (" .. text .. ")")
    key:add(f.key_text, tvb(8, 16), text):set_generated()
  end
  local tunnel = ""
  if hlen == HLEN_PING then
    tree:add(f.tunnel, tvb(24, 4))
    tunnel = " tunnel " .. tvb(24, 4):uint()
  elseif control then
    local id = group * 65536 + service
    tree:add(f.tunnel, tvb(4, 4), id):set_generated()
  end
  return string.format(" %d/%d", group, service), tunnel
end

-- Hands the inner packet on. It sets the columns to its own; they get the tunnel's part in front.
local function dissect_inner(tvb, off, pinfo, root, tree, label)
  if depth >= MAX_DEPTH then
    tree:add_proto_expert_info(too_deep)
    return
  end
  local ends = string.format("%s:%d > %s:%d", tostring(pinfo.src), pinfo.src_port, tostring(pinfo.dst), pinfo.dst_port)
  depth = depth + 1
  -- A malformed inner packet comes back as an error; the tree already shows it, as the inner dissector's own.
  pcall(ip_dissector.call, ip_dissector, tvb(off):tvb(), pinfo, root)
  depth = depth - 1
  local inner = tostring(pinfo.cols.protocol)
  pinfo.cols.info:prepend(string.format("%s %s [%s ", ends, label, inner))
  pinfo.cols.info:append("]")
  pinfo.cols.protocol = "GUE"
end

-- Dissects a UDP payload and returns how many bytes it took: all.
local function dissect(tvb, pinfo, root)
  local here, len = tvb:len(), tvb:reported_len()
  local tree = root:add(gue, tvb())
  local reason = drop_reason(tvb, len)
  local function finish(label)
    if reason then
      tree:add(f.drop, reason):set_generated()
      tree:add_proto_expert_info(expert_of[reason], DROPS[reason] .. " (" .. reason .. ")")
    end
    tree:append_text(": " .. label)
    pinfo.cols.protocol = "GUE"
    pinfo.cols.info = string.format("%d > %d GUE %s", pinfo.src_port, pinfo.dst_port, label)
    return here
  end
  if here < 4 then
    if here < len then tree:add_proto_expert_info(cut) end
    tree:add(f.rest, tvb())
    return finish(string.format("truncated, %d bytes", len))
  end

  local first = tvb(0, 1)
  local version, control, hlen = first:bitfield(0, 2), first:bitfield(2, 1) == 1, first:bitfield(3, 5)
  local proto, flags = tvb(1, 1):uint(), tvb(2, 2):uint()
  tree:add(f.version, first)
  tree:add(f.control, first)
  tree:add(f.hlen, first):append_text(string.format(": %d bytes", hlen * 4))
  tree:add(control and f.ctype or f.proto, tvb(1, 1))
  local flag_tree = tree:add(f.flags, tvb(2, 2))
  flag_tree:add(f.flags_g, tvb(2, 2))
  flag_tree:add(f.flags_sec, tvb(2, 2))
  flag_tree:add(f.flags_other, tvb(2, 2))
  local header_end = 4 + hlen * 4
  if version ~= 0 or header_end > here then
    if header_end > here and header_end <= len then tree:add_proto_expert_info(cut) end
    if here > 4 then tree:add(f.rest, tvb(4)) end
    if version ~= 0 then return finish(string.format("version %d len=%d", version, len)) end
    return finish(string.format("truncated, %d bytes", len))
  end

  tree:set_len(header_end)
  local id, tunnel = "", ""
  if flags == GUE_FLAGS and (hlen == HLEN_DATA or hlen == HLEN_PING) then
    id, tunnel = add_fields(tvb, tree, hlen, control)
  elseif hlen > 0 then
    tree:add(f.fields, tvb(4, hlen * 4))
    id = string.format(" flags 0x%04x", flags)
  end
  if control then
    if here > header_end then tree:add(f.rest, tvb(header_end)) end
    return finish((proto == CTYPE_PING and "ping" or "control " .. proto) .. id .. tunnel)
  end
  local label = id:sub(2) .. (hlen == HLEN_PLAIN and "plain" or "")
  finish(label .. (proto == PROTO_IPV4 and "" or string.format(" protocol %d len=%d", proto, len - header_end)))
  if here > header_end then
    if proto == PROTO_IPV4 then dissect_inner(tvb, header_end, pinfo, root, tree, "GUE " .. label)
    else pcall(data_dissector.call, data_dissector, tvb(header_end):tvb(), pinfo, root) end
  end
  return here
end

-- By port: 6080, those of the preference, and what "Decode As" sends here. gue_ping sends plain text to 6080.
function gue.dissector(tvb, pinfo, root)
  if tvb:len() == 0 then return 0 end
  local sport, dport = pinfo.src_port, pinfo.dst_port
  local asked = named[sport] or named[dport] or (sport ~= GUE_PORT and dport ~= GUE_PORT)
  if not asked and not has_word(tvb) and not plausible(tvb) then return 0 end
  return dissect(tvb, pinfo, root)
end

-- On every other port.
gue:register_heuristic("udp", function(tvb, pinfo, root)
  if not has_word(tvb) then return false end
  dissect(tvb, pinfo, root)
  return true
end)

local udp_ports = DissectorTable.get("udp.port")
udp_ports:add(GUE_PORT, gue)

local registered = ""
function gue.prefs_changed()
  local wanted = gue.prefs.ports
  if wanted == registered then return end
  if registered ~= "" then udp_ports:remove(registered, gue) end
  named = {}
  for from, to in wanted:gmatch("(%d+)%-?(%d*)") do
    for port = tonumber(from), tonumber(to) or tonumber(from) do named[port] = true end
  end
  if wanted ~= "" then udp_ports:add(wanted, gue) end
  -- Whatever was removed, the registered port stays.
  udp_ports:add(GUE_PORT, gue)
  registered = wanted
end

function gue.init()
  depth = 0
end
