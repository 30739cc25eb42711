-- The garbage of the requests so far goes now, and no more goes until the next call.
return function(ctx)
    collectgarbage()
    collectgarbage("stop")
    ctx:text("collected\n")
end
