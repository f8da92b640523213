/**
 * For which names an authority may issue certificates, RFC 5280 §4.2.1.10:
 *
 *     NameConstraints ::= SEQUENCE {
 *         permittedSubtrees  [0]  GeneralSubtrees OPTIONAL,
 *         excludedSubtrees   [1]  GeneralSubtrees OPTIONAL }
 *     GeneralSubtree ::= SEQUENCE { base GeneralName, minimum [0] DEFAULT 0, maximum [1] OPTIONAL }
 *     GeneralName: dNSName [2], iPAddress [7], directoryName [4], and others
 *
 * Understood are DNS names and IP addresses. A constraint on another kind of name is a reason to refuse a certificate with such names.
 */
import { DecodeError } from '../../bytes/errors.ts'
import { TlsAlert } from '../alert.ts'
import { type Certificate, CertificateExtension } from './certificate.ts'
import { contextTag, DerReader, Tag } from './der.ts'

const DNS_NAME = contextTag(2, false)
const DIRECTORY_NAME = contextTag(4, true)
const IP_ADDRESS = contextTag(7, false)

/** Names times subtrees that are compared at most, for one authority: both lists are the peer's, whom nobody believes yet. */
export const MOST_COMPARISONS = 1 << 16

interface GeneralName {
  tag: number
  content: Uint8Array
  /** Of a DNS name, in small letters. */
  text: string
}

/** Throws TlsAlert: one of those below may not have a name that it has. */
export function checkNameConstraints(issuer: Certificate, below: readonly Certificate[]): void {
  const extension = issuer.extensions.get(CertificateExtension.nameConstraints)
  if (extension === undefined) return
  const { permitted, excluded } = decoded(() => readConstraints(extension.value))
  const names = below.flatMap(certificate => decoded(() => namesOf(certificate)))
  if (names.length * (permitted.length + excluded.length) > MOST_COMPARISONS) {
    throw new TlsAlert('bad_certificate', 'too many names to compare with the name constraints of an authority')
  }
  for (const name of names) {
    const allowedTrees = permitted.filter(({ tag }) => tag === name.tag)
    const isIn = allowedTrees.length === 0 || allowedTrees.some(tree => isWithin(name, tree))
    const isOut = excluded.some(tree => tree.tag === name.tag && touches(name, tree))
    if (!isIn || isOut) throw new TlsAlert('bad_certificate', 'an authority may not issue certificates for that name')
  }
}

function decoded<T>(decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new TlsAlert('bad_certificate', `an extension of a certificate: ${error.message}`)
  }
}

function readConstraints(value: Uint8Array): { permitted: GeneralName[]; excluded: GeneralName[] } {
  const outer = new DerReader(value)
  const fields = outer.sequence()
  outer.expectEnd()
  const permitted = readSubtrees(fields.takeIf(contextTag(0, true)))
  const excluded = readSubtrees(fields.takeIf(contextTag(1, true)))
  fields.expectEnd()
  return { permitted, excluded }
}

function readSubtrees(bytes: Uint8Array | undefined): GeneralName[] {
  if (bytes === undefined) return []
  const list = new DerReader(bytes)
  const bases: GeneralName[] = []
  while (!list.atEnd) {
    const subtree = list.sequence()
    bases.push(generalName(subtree.takeAny()))
    // minimum and maximum are not used.
    subtree.expectEnd()
  }
  return bases
}

/** Its subject, unless that is empty, and its subjectAltName. */
function namesOf(certificate: Certificate): GeneralName[] {
  const names: GeneralName[] = []
  const subject = new DerReader(certificate.subject)
  if (subject.take(Tag.SEQUENCE).length > 0)
    names.push(generalName({ tag: DIRECTORY_NAME, content: certificate.subject }))
  const extension = certificate.extensions.get(CertificateExtension.subjectAltName)
  if (extension === undefined) return names
  const list = new DerReader(extension.value).sequence()
  while (!list.atEnd) names.push(generalName(list.takeAny()))
  return names
}

function isWithin(name: GeneralName, tree: GeneralName): boolean {
  if (tree.tag === DNS_NAME) return isSubdomain(name.text, tree.text)
  return tree.tag === IP_ADDRESS && isInNetwork(name.content, tree.content)
}

/** Whether it has, or may have, something in there: `*.example.com` reaches into `www.example.com`. */
function touches(name: GeneralName, tree: GeneralName): boolean {
  if (tree.tag !== DNS_NAME && tree.tag !== IP_ADDRESS) return true
  if (isWithin(name, tree)) return true
  return tree.tag === DNS_NAME && name.text.startsWith('*.') && isSubdomain(tree.text, name.text.slice(2))
}

/** A domain is one of its own; with a dot in front, it is not. */
function isSubdomain(name: string, base: string): boolean {
  if (base === '' || name === base) return true
  return name.endsWith(base.startsWith('.') ? base : `.${base}`)
}

function isInNetwork(address: Uint8Array, network: Uint8Array): boolean {
  if (network.length !== 2 * address.length) return false
  return address.every((byte, i) => (byte & network[address.length + i]) === (network[i] & network[address.length + i]))
}

function generalName({ tag, content }: { tag: number; content: Uint8Array }): GeneralName {
  return { tag, content, text: tag === DNS_NAME ? new TextDecoder('latin1').decode(content).toLowerCase() : '' }
}
