return function(_, next)
    next()
end
