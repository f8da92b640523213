/**
 * Built-in objects that cannot be changed any more, so that no code can have itself called with what belongs to others: a setter
 * `0` on `Array.prototype` is given whatever Node itself puts into a list.
 */

/** Freezes all that is reached from `roots` by properties and prototypes, and nothing of what `spared` holds. */
export function freezeAll(roots: readonly unknown[], spared: ReadonlySet<unknown>): void {
  const found = new Set<object>()
  const waiting = [...roots]
  while (waiting.length > 0) {
    const value = waiting.pop()
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) continue
    // The elements of views cannot be frozen, and belong to nobody else here.
    if (found.has(value) || spared.has(value) || ArrayBuffer.isView(value)) continue
    found.add(value)
    waiting.push(Object.getPrototypeOf(value))
    for (const key of Reflect.ownKeys(value)) {
      const property = Object.getOwnPropertyDescriptor(value, key)!
      waiting.push(property.value, property.get, property.set)
    }
  }
  for (const object of found) {
    if (isPrototype(object)) allowOverrides(object)
    Object.freeze(object)
  }
}

function isPrototype(object: object): boolean {
  const { value } = Object.getOwnPropertyDescriptor(object, 'constructor') ?? {}
  return typeof value === 'function' && value.prototype === object
}

/**
 * What is read-only in a prototype cannot be assigned in an object below it, either: `error.name = 'MalformedError'` would fail. (It
 * is called the override mistake of ECMAScript.) So such a property becomes a pair of functions, of which the second puts it into
 * the object. Names that are symbols stay as they are: V8 iterates much slower where they have been touched, and nobody assigns them.
 * So does `constructor`, of which Node tells what to print.
 */
function allowOverrides(prototype: object): void {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const property = Object.getOwnPropertyDescriptor(prototype, name)!
    if (!property.configurable || !property.writable || name === 'constructor') continue
    const { value, enumerable } = property
    Object.defineProperty(prototype, name, {
      get: () => value,
      set(this: object, mine: unknown) {
        if (this === prototype)
          throw new TypeError(`Cannot assign to read only property '${name}' of a built-in object`)
        if (typeof this !== 'object' && typeof this !== 'function') return
        Object.defineProperty(this, name, { value: mine, writable: true, enumerable: true, configurable: true })
      },
      enumerable: enumerable ?? false,
      configurable: false,
    })
  }
}
