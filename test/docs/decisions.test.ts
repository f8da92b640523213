import { expect } from 'chai'
import { read } from './repository.ts'

interface Manifest {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}

interface LockFile {
  packages: Record<string, { version?: string; optionalDependencies?: Record<string, string> }>
}

describe('docs/decisions.md', () => {
  const manifest = JSON.parse(read('package.json')) as Manifest
  const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })

  /** Package → reason, from rows such as | `ink`, `react` | why |. */
  const reasons = new Map(
    [...read('docs/decisions.md').matchAll(/^\| (`[^|]+`) \| ([^|]*) \|$/gm)].flatMap(([, packages, reason]) =>
      [...packages.matchAll(/`([^`]+)`/g)].map(match => [match[1], reason.trim()] as const),
    ),
  )

  it('gives a reason for each dependency', () => {
    expect(dependencies.filter(name => !reasons.get(name))).to.deep.equal([])
  })

  it('gives no reason for what is no dependency', () => {
    // Everything runs without quiche, on the engine in TypeScript: whoever takes the package away need not take the reason away.
    const known = [...dependencies, '@matrixai/quic']
    expect([...reasons.keys()].filter(name => !known.includes(name))).to.deep.equal([])
  })
})

describe('package-lock.json', () => {
  it('has an entry for each binary package of each platform, without which npm ci refuses it', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as LockFile
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        name =>
          packages[`node_modules/${name}`]?.version === undefined &&
          packages[`${path}/node_modules/${name}`]?.version === undefined,
      ),
    )
    expect(missing).to.deep.equal([])
  })
})
