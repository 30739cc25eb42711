-- Sends the request's body back as it arrives, and its CRC-32 as a trailer.
local crc_of_byte = {}
for byte = 0, 255 do
    local crc = byte
    for _ = 1, 8 do
        crc = (crc >> 1) ~ (crc & 1) * 0xEDB88320
    end
    crc_of_byte[byte] = crc
end

-- The CRC of what came before, continued over a piece.
local function continue_crc(crc, piece)
    crc = ~crc & 0xFFFFFFFF
    for i = 1, #piece do
        crc = (crc >> 8) ~ crc_of_byte[(crc ~ piece:byte(i)) & 0xFF]
    end
    return ~crc & 0xFFFFFFFF
end

local function echo(ctx)
    local trailers, crc = ctx:supports_trailers(), 0
    if trailers then
        ctx:declare_trailer("x-crc32")
    end
    ctx:header("content-type", "application/octet-stream")
    local piece = ctx:read()
    while piece do
        crc = continue_crc(crc, piece)
        ctx:write(piece)
        piece = ctx:read()
    end
    if trailers then
        ctx:append_trailer("x-crc32", ("%08x"):format(crc))
    end
end

return { POST = echo, PUT = echo }
