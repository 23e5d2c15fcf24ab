-- Single-row transactions for sysbench, which sends them at a fixed rate (--rate) whatever becomes of those before.
local connection

function thread_init()
  connection = sysbench.sql.driver():connect()
end

function event()
  connection:query("INSERT INTO delay (c) VALUES (REPEAT('x', 60))")
end

function thread_done()
  connection:disconnect()
end
