/** Wrong solutions of `certificates`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'trusts-the-client-certificate': {
    misconception: 'takes the certificate of the client for that of the authority',
    says: 'how a client shows who it is',
    edits: [['trust = "ca.pem"', 'trust = "client.pem"']],
  },
  'trusts-the-key-of-the-authority': {
    misconception: 'trusts with the private key of the authority',
    says: 'signs certificates',
    edits: [['trust = "ca.pem"', 'trust = "ca-key.pem"']],
  },
  'trusts-the-server-certificate': {
    misconception: 'trusts with the certificate of the server itself',
    says: 'at every renewal',
    edits: [['trust = "ca.pem"', 'trust = "cert/out/server.pem"']],
  },
  'trusts-the-server-key': {
    misconception: 'trusts with the private key of the server',
    says: 'proves that the server is the server',
    edits: [['trust = "ca.pem"', 'trust = "server-key.pem"']],
  },
})
