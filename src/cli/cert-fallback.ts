/**
 * `npm run cert` where openssl (or bash, or PowerShell) is missing: the same files, made by Node alone. The scripts in
 * `cert/` are the ones to read, and the ones that renew single files; this makes all of them or none.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, renameSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeTestCertificates } from '../cert/make-certificates.ts'
import { describeExposure, GROUP_AND_OTHERS } from '../config/private-file.ts'
import { readRegularFile } from '../config/read-file.ts'

const MAX_DAYS = 397
const DEFAULT_DAYS = 365
const CLIENTS = ['client', 'client2']
const DAY_MS = 86_400_000

/** Returns what to tell the user. Throws an Error with one sentence when an argument is wrong. */
export async function makeCertificatesWithoutOpenssl(
  args: readonly string[],
  defaultOut: string,
  workingDirectory: string = process.cwd(),
  now: Date = new Date(),
): Promise<string> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      out: { type: 'string' },
      client: { type: 'string', multiple: true, default: [] },
      name: { type: 'string', multiple: true, default: [] },
      days: { type: 'string' },
      force: { type: 'boolean', default: false },
    },
  })
  const days = Number(values.days ?? DEFAULT_DAYS)
  if (!Number.isInteger(days) || days < 1 || days > MAX_DAYS)
    throw new Error(`--days ${values.days}: a number from 1 to ${MAX_DAYS} is expected`)
  const out =
    values.out === undefined ? defaultOut : isAbsolute(values.out) ? values.out : join(workingDirectory, values.out)
  const clientNames = [...new Set([...CLIENTS, ...values.client])]
  const livesTooLong = values.days !== undefined && !endsWithin(out, 'server', days, now)
  const complete = !livesTooLong && ['ca', 'server', ...clientNames].every(name => usable(out, name, now))
  if (complete && !values.force && values.name.length === 0)
    return `everything in ${out} exists and is valid: kept (--force makes it anew)`
  const kept = ['ca', 'server', ...clientNames].flatMap(name => (isOurs(out, name) ? [] : keep(out, name)))
  await makeTestCertificates(out, { clientNames, serverNames: values.name, serverDays: days })
  const exposed = { forbidden: GROUP_AND_OTHERS, what: 'key', accept: 'tls.allow_exposed_key' }
  const exposure = describeExposure(join(out, 'server-key.pem'), exposed)
  return [
    ...kept.map(([old, now]) => `${old} was not made here: it is now ${now}`),
    `openssl is not needed: made by Node, the authority included, in ${out}: ca, server, ${clientNames.join(', ')}`,
    ...(exposure === undefined ? [] : [`warning: ${exposure}`]),
  ].join('\n')
}

/** Was the certificate made here, or by a script of ours, from the key that is beside it? */
function isOurs(out: string, name: string): boolean {
  try {
    const certificate = new X509Certificate(readRegularFile(join(out, `${name}.pem`)))
    if (!/^O=masque-lab$/m.test(certificate.issuer) || !/^CN=masque-lab CA\b/m.test(certificate.issuer)) return false
    const key = join(out, `${name}-key.pem`)
    return !existsSync(key) || certificate.checkPrivateKey(createPrivateKey(readRegularFile(key)))
  } catch {
    return false // no certificate, or a key that cannot be read
  }
}

/** Gives the certificate and the key of somebody else's other names, where they are there. Returns old and new names. */
function keep(out: string, name: string): [string, string][] {
  return [`${name}-key.pem`, `${name}.pem`]
    .filter(file => existsSync(join(out, file)))
    .map(file => {
      let kept = `${file}.before`
      for (let n = 2; existsSync(join(out, kept)); n++) kept = `${file}.before-${n}`
      renameSync(join(out, file), join(out, kept))
      return [file, kept]
    })
}

/** There, with its key, and valid for a day at least. */
function usable(out: string, name: string, now: Date): boolean {
  if (!existsSync(join(out, `${name}-key.pem`))) return false
  const end = endOf(out, name)
  return end !== undefined && end > now.getTime() + DAY_MS
}

function endsWithin(out: string, name: string, days: number, now: Date): boolean {
  const end = endOf(out, name)
  return end !== undefined && end <= now.getTime() + days * DAY_MS
}

/** Until when the certificate is valid, in ms since 1970; undefined: there is none. */
function endOf(out: string, name: string): number | undefined {
  try {
    return Date.parse(new X509Certificate(readRegularFile(join(out, `${name}.pem`))).validTo)
  } catch {
    return undefined // no file, or something else is in it
  }
}
