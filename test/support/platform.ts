/** Runs `what` as if this were another system. Only for code that asks `process.platform` when it is called. */
export function onPlatform<T>(platform: NodeJS.Platform, what: () => T): T {
  const own = Object.getOwnPropertyDescriptor(process, 'platform') as PropertyDescriptor
  Object.defineProperty(process, 'platform', { ...own, value: platform })
  try {
    return what()
  } finally {
    Object.defineProperty(process, 'platform', own)
  }
}
