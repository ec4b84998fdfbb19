-- For wrk: sends the ReleaseDisk requests of a file, which are signed already, one after the other.
--   wrk ... -s presigned.lua URL -- FILE
-- FILE has a line for each request: body, tab, timestamp, tab, Authorization.

local requests = {}
local sent = 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local body, timestamp, authorization = line:match("^([^\t]*)\t([^\t]*)\t(.*)$")
    requests[#requests + 1] = wrk.format("POST", "/api/v2/zec", {
      ["Content-Type"] = "application/json",
      ["X-ZC-Action"] = "ReleaseDisk",
      ["X-ZC-Version"] = "2025-09-01",
      ["X-ZC-Service"] = "zec",
      ["X-ZC-Timestamp"] = timestamp,
      ["X-ZC-Signature-Method"] = "ZC2-HMAC-SHA256",
      ["Authorization"] = authorization,
    }, body)
  end
end

function request()
  sent = sent % #requests + 1
  return requests[sent]
end
