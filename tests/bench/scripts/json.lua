local items = {}
for id = 1001, 1038 do
    table.insert(items, { id = id, name = "item number " .. id, price = 1999, available = true,
                          tags = { "red", "large" } })
end

return function(ctx)
    ctx:json({ items = items })
end
