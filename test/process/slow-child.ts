/** A child that is not ready for a long time. */
await new Promise(resolve => setTimeout(resolve, 600_000))
