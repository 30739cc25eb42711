-- A gRPC server, which may as well be written in any other language. It tells of its types itself.
local grpc = require "moontrail.grpc"
local Library = grpc.service("library.proto", "example.Library")

local books = {
    { name = "shelves/1/books/moon", title = "From the Earth to the Moon", pages = 186 },
    { name = "shelves/1/books/sea", title = "Twenty Thousand Leagues Under the Seas", pages = 426 },
}

function Library.Find(request)
    for _, book in ipairs(books) do
        if book.name == request.name then
            return book
        end
    end
    grpc.error("NOT_FOUND", "there is no " .. request.name)
end

function Library.List(request, call)
    for _, book in ipairs(books) do
        if book.name:find(request.shelf .. "/", 1, true) == 1 then
            call:send(book)
        end
    end
end

return Library
