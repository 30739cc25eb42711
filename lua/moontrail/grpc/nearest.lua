-- The name that was probably meant, for messages about one that does not exist.

-- Longer names are mistaken for nothing: the distance costs the product of the lengths.
local LENGTH_MAX = 64

-- In letters and digits alone, whatever their case.
local function bare(name)
    return (name:gsub("[^%w]", ""):upper())
end

-- How many letters are to be added, dropped or changed to make b of a.
local function distance(a, b)
    local row = {}
    for j = 0, #b do
        row[j] = j
    end
    for i = 1, #a do
        local diagonal = row[0]
        row[0] = i
        for j = 1, #b do
            local changed = diagonal + (a:byte(i) == b:byte(j) and 0 or 1)
            diagonal = row[j]
            row[j] = math.min(changed, row[j] + 1, row[j - 1] + 1)
        end
    end
    return row[#b]
end

-- The name of the list that is most like the one given, or nil where none is like it: two letters
-- may differ, as two do that are in the wrong order, and in long names one in three.
return function(given, names)
    given = bare(given)
    if #given > LENGTH_MAX then
        return nil
    end
    local best, least = nil, math.max(#given // 3, #given > 3 and 2 or 0) + 1
    for _, name in ipairs(names) do
        local differs = distance(given, bare(name))
        if differs < least then
            best, least = name, differs
        end
    end
    return best
end
