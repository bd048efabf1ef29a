-- Shows the packets of `cluster-internals export --to pcapng` in Wireshark and tshark: the head of each packet, and the
-- frame as it was on the wire, in both dialects (node, pipelined) and both encodings (json, advanced).
-- exports/pcapng.ts describes the head, channel/framing.ts the frames.
--
--   tshark -X lua_script:cluster_internals.lua -r recording.pcapng -V

local proto = Proto("cluster_internals", "Messages of a cluster")

local f = {
  version = ProtoField.uint8("cluster.version", "Version of this head"),
  dialect = ProtoField.string("cluster.dialect", "Dialect"),
  encoding = ProtoField.string("cluster.encoding", "Encoding"),
  hidden = ProtoField.bool("cluster.hidden", "Content not recorded"),
  redacted = ProtoField.bool("cluster.redacted", "Some fields are redacted"),
  derived = ProtoField.bool("cluster.derived", "Derived, not seen"),
  from = ProtoField.string("cluster.from", "Sender"),
  to = ProtoField.string("cluster.to", "Receiver"),
  from_pid = ProtoField.uint32("cluster.from_pid", "Pid of the sender"),
  to_pid = ProtoField.uint32("cluster.to_pid", "Pid of the receiver"),
  fd = ProtoField.int32("cluster.fd", "Fd of the sender"),
  bytes = ProtoField.uint32("cluster.bytes", "Bytes on the wire"),
  act = ProtoField.string("cluster.act", "Message"),
  connection = ProtoField.string("cluster.connection", "Connections"),
  length = ProtoField.uint32("cluster.length", "Length of the frame (advanced)"),
  tag = ProtoField.string("cluster.tag", "Tag: H, an fd comes with the message; E, with an envelope"),
  value = ProtoField.bytes("cluster.value", "Value (structured clone of V8)"),
  cmd = ProtoField.string("cluster.cmd", "cmd"),
  seq = ProtoField.uint32("cluster.seq", "seq"),
  ack = ProtoField.uint32("cluster.ack", "ack: the seq that this answers"),
  up_to = ProtoField.uint32("cluster.upTo", "upTo: all hand-offs up to this seq are taken"),
  key = ProtoField.string("cluster.key", "key of the address"),
  errno = ProtoField.string("cluster.errno", "errno"),
  accepted = ProtoField.string("cluster.accepted", "accepted"),
}
for _, field in pairs(f) do table.insert(proto.fields, field) end

-- A text with its length before it. Returns the range of the text, and where the next one begins.
local function text(buffer, at)
  local length = buffer(at, 1):uint()
  return length > 0 and buffer(at + 1, length) or nil, at + 1 + length
end

local function frame(buffer, tree, advanced)
  local at = 0
  if advanced and buffer:len() >= 4 then
    tree:add(f.length, buffer(0, 4))
    at = 4
  end
  local first = buffer(at, 1):uint()
  if first == 0x48 or first == 0x45 then
    tree:add(f.tag, buffer(at, 1))
    at = at + 1
  end
  if buffer:len() <= at then return end
  if advanced then
    tree:add(f.value, buffer(at))
    return
  end
  local json = buffer(at):string()
  -- The last `cmd` is that of the message inside an envelope.
  for name, field in pairs({ cmd = f.cmd, key = f.key }) do
    local value = json:match('"' .. name .. '":"([^"\\]*)"')
    if value then tree:add(field, buffer(at), value) end
  end
  for name, field in pairs({ seq = f.seq, ack = f.ack, upTo = f.up_to }) do
    local value = tonumber(json:match('"' .. name .. '":(%d+)'))
    if value and value < 4294967296 then tree:add(field, buffer(at), value) end
  end
  for name, field in pairs({ errno = f.errno, accepted = f.accepted }) do
    local value = json:match('"' .. name .. '":([%w-]+)')
    if value then tree:add(field, buffer(at), value) end
  end
end

function proto.dissector(buffer, pinfo, root)
  if buffer:len() < 22 then return 0 end
  local tree = root:add(proto, buffer())
  local flags = buffer(1, 1):uint()
  local function has(bit) return math.floor(flags / bit) % 2 == 1 end
  tree:add(f.version, buffer(0, 1))
  local from, to, act, connection
  local at = 18
  from, at = text(buffer, at)
  to, at = text(buffer, at)
  act, at = text(buffer, at)
  connection, at = text(buffer, at)
  if from then tree:add(f.from, from) end
  if to then tree:add(f.to, to) end
  tree:add(f.from_pid, buffer(2, 4))
  tree:add(f.to_pid, buffer(6, 4))
  tree:add(f.dialect, buffer(1, 1), has(1) and "pipelined" or "node")
  tree:add(f.encoding, buffer(1, 1), has(2) and "advanced" or "json")
  if has(4) then tree:add(f.fd, buffer(10, 4)) end
  tree:add(f.bytes, buffer(14, 4))
  if has(8) then tree:add(f.hidden, buffer(1, 1), true) end
  if has(16) then tree:add(f.redacted, buffer(1, 1), true) end
  if has(32) then tree:add(f.derived, buffer(1, 1), true) end
  if act then tree:add(f.act, act) end
  if connection then tree:add(f.connection, connection) end
  if at < buffer:len() then
    local part = tree:add(proto, buffer(at), "Frame")
    frame(buffer(at):tvb(), part, has(2))
    if not has(2) then
      local first = buffer(at, 1):uint()
      local skip = (first == 0x48 or first == 0x45) and 1 or 0
      local json = Dissector.get("json")
      if json and at + skip < buffer:len() then json:call(buffer(at + skip):tvb(), pinfo, root) end
    end
  end
  -- The dissector of JSON has written its own name there.
  pinfo.cols.protocol = "CLUSTER"
  pinfo.cols.src = from and from:string() or "?"
  pinfo.cols.dst = to and to:string() or "?"
  pinfo.cols.info = (act and act:string() or "?") .. (connection and (" · " .. connection:string()) or "") .. (has(4) and " + fd" or "")
  return buffer:len()
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, proto)
