-- wrk's side of scripts/bench: sends prepared requests in turn.
-- Arguments: FILE METHOD SIZE; FILE holds one path-and-query a line, SIZE the bytes of each PUT body.
local requests, turn = {}, 0
local threads = 0

function setup(thread)
  thread:set("first", threads)
  threads = threads + 1
end

function init(args)
  local method, size = args[2], tonumber(args[3])
  local body = nil
  if method == "PUT" then body = string.rep("0123456789abcdef", math.ceil(size / 16)):sub(1, size) end
  local number = 0
  for path in io.lines(args[1]) do
    -- Every thread takes its own share of the names, so that large bodies are held once a thread.
    if number % tonumber(args[4]) == first then
      requests[#requests + 1] = wrk.format(method, path, nil, body)
    end
    number = number + 1
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency, rates)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.timeout, e.status))
end
