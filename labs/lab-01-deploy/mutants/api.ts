/** Wrong solutions of `api`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('answers.toml', {
  'asks-for-credentials-that-are-none': {
    misconception: 'believes that each refusal is a 401',
    says: 'none are configured',
    edits: [['open = "403"', 'open = "401"']],
  },
  'everybody-may-end-a-tunnel': {
    misconception: 'believes that whoever may read may also change',
    says: 'Everybody on this machine may read',
    edits: [['open = "403"', 'open = "204"']],
  },
  'forbids-who-could-try-again': {
    misconception: 'takes 403 for the answer to wrong credentials',
    says: 'the right ones',
    edits: [['wrong = "401"', 'wrong = "403"']],
  },
  'remembers-all-clients': {
    misconception: 'expects the API to know who has been there',
    says: 'all clients that ever were',
    edits: [['after = "404"', 'after = "410"']],
  },
  'success-is-always-200': {
    misconception: 'believes that success is always 200',
    says: 'comes with content',
    edits: [['ended = "204"', 'ended = "200"']],
  },
})
