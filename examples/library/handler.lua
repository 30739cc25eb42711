-- A service that is called by plain HTTP as well: library.proto says by which paths.
local grpc = require "moontrail.grpc"
local Library = grpc.service("library.proto", "library.v1.Library")

-- In memory, and so of one process: a database would hold them.
local books, names = {}, {}

local function add(name, book)
    book.name = name
    names[#names + 1] = name
    books[name] = book
    return book
end

add("shelves/moon/books/1", { title = "From the Earth to the Moon", authors = { "Jules Verne" } })
add("shelves/moon/books/2", { title = "The First Men in the Moon", authors = { "H. G. Wells" } })
add("shelves/sea/books/1", { title = "The Mysterious Island", authors = { "Jules Verne" } })

local function find(name)
    return books[name] or grpc.error("NOT_FOUND", "there is no " .. name, {
        { type = "google.rpc.ResourceInfo", value = { resource_name = name } },
    })
end

function Library.GetBook(request)
    return find(request.name)
end

local function has_author(book, author)
    for _, one in ipairs(book.authors or {}) do
        if one == author then
            return true
        end
    end
    return author == ""
end

function Library.ListBooks(request, call)
    local prefix = request.parent .. "/"
    for _, name in ipairs(names) do
        local on_shelf = prefix == "shelves/-/" or name:sub(1, #prefix) == prefix
        if books[name] and on_shelf and has_author(books[name], request.author) then
            call:send(books[name])
        end
    end
end

function Library.AddBook(request)
    if not request.book or request.book.title == "" then
        grpc.error("INVALID_ARGUMENT", "a book has a title")
    end
    return add(("%s/books/%d"):format(request.parent, #names + 1), request.book)
end

function Library.RemoveBook(request)
    books[find(request.name).name] = nil
end

function Library.LendBook(request)
    local book = find(request.name)
    if (book.reader or "") ~= "" then
        grpc.error("FAILED_PRECONDITION", book.reader .. " has it")
    end
    book.reader = request.reader
    return book
end

function Library.GetCover(request)
    local text = '<svg xmlns="http://www.w3.org/2000/svg"><text y="20">%s</text></svg>\n'
    return { content_type = "image/svg+xml", data = text:format(find(request.name).title) }
end

return Library
