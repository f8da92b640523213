/** Wrong solutions of `trust`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'code-without-the-base': {
    misconception: 'gives the number of the alert without the base',
    says: 'one space of codes',
    edits: [['code = "0x130"', 'code = "0x30"']],
  },
  'decimal-for-hexadecimal': {
    misconception: 'writes the hexadecimal digits without 0x',
    says: 'Decimal or hexadecimal',
    edits: [['code = "0x130"', 'code = "130"']],
  },
  'neighbouring-alert': {
    misconception: 'names a neighbouring alert',
    says: 'corrupt',
    edits: [['alert = "unknown_ca"', 'alert = "bad_certificate"']],
  },
  'server-certificate-as-authority': {
    misconception: 'trusts a certificate that signs nothing',
    says: 'not one of a CA',
    file: 'client-trust.toml',
    edits: [['ca = "../../../cert/out/ca.pem"', 'ca = "../../../cert/out/client.pem"']],
  },
  'still-the-other-authority': {
    misconception: 'still trusts the other authority',
    says: 'cert/other/ca.pem',
    file: 'client-trust.toml',
    edits: [['ca = "../../../cert/out/ca.pem"', 'ca = "../../../cert/other/ca.pem"']],
  },
  'verification-off': {
    misconception: 'turns verification off instead of mending the trust',
    says: 'anybody on the path',
    file: 'client-trust.toml',
    edits: [
      [
        'ca = "../../../cert/out/ca.pem"',
        `ca = "../../../cert/other/ca.pem"
        insecure = true`,
      ],
    ],
  },
})
