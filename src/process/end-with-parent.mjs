// Loaded by a child (child.ts) before its code, which takes seconds to load on a busy machine: ends it when its parent goes meanwhile, or
// has gone already. From the first order on, `serveParent` sees to that.
const end = () => {
  if (process.listenerCount('message') === 0) process.exit()
}
if (!process.connected) end()
process.on('disconnect', end)
