/** Wrong solutions of `scrape`. */
import { type Edit, mutants } from '../../kit/grading/mutants.ts'

const TARGETS = "targets: ['127.0.0.1:8080']"
const LABELS = `labels:
          site: classroom`
const JOB = '- job_name: masque-lab'

/** The edit after which this is the target. */
const target = (text: string): Edit => [TARGETS, `targets: ['${text}']`]
/** The edit after which the job has this, too. */
const inJob = (more: string): Edit => [JOB, `${JOB}\n    ${more}`]

export default mutants('prometheus.yml', {
  'a-url-for-a-target': {
    misconception: 'takes a target for a URL',
    says: 'A target is no URL',
    edits: [target('http://127.0.0.1:8080/metrics')],
  },
  'an-address-in-the-tunnel': {
    misconception: 'asks the address of the proxy inside of the tunnel',
    says: 'inside of the tunnel',
    edits: [target('10.89.1.1:8080')],
  },
  'asked-twice': {
    misconception: 'names the proxy twice, to be sure',
    says: 'counts everything twice',
    edits: [[TARGETS, "targets: ['127.0.0.1:8080', 'localhost:8080']"]],
  },
  'duration-without-unit': {
    misconception: 'takes a duration for a number of seconds',
    says: 'a duration has a unit',
    edits: [['scrape_interval: 5s', 'scrape_interval: 5']],
  },
  'everywhere-as-a-target': {
    misconception: 'names the address for listening everywhere',
    says: 'has to name one address',
    edits: [target('0.0.0.0:8080')],
  },
  'external-label': {
    misconception: 'believes that external labels are on the series of this Prometheus',
    says: 'when something leaves this Prometheus',
    edits: [
      [
        'scrape_interval: 5s',
        `scrape_interval: 5s
  external_labels:
    site: classroom`,
      ],
      [LABELS, ''],
    ],
  },
  'json-for-metrics': {
    misconception: 'lets Prometheus read the JSON of the status',
    says: 'a text format of its own',
    edits: [inJob('metrics_path: /api/v1/status')],
  },
  'labels-of-the-job': {
    misconception: 'gives the labels to the job',
    says: 'belong into static_configs',
    edits: [
      [LABELS, ''],
      inJob(`labels:
      site: classroom`),
    ],
  },
  'metrics-below-the-api': {
    misconception: 'believes that metrics are a part of the API like others',
    says: 'has no such path',
    edits: [inJob('metrics_path: /api/v1/metrics')],
  },
  'no-interval': {
    misconception: 'leaves the interval to Prometheus',
    says: 'once in one minute',
    edits: [['scrape_interval: 5s', '']],
  },
  'no-port': {
    misconception: 'leaves the port to Prometheus',
    says: 'Without a port',
    edits: [target('127.0.0.1')],
  },
  'not-yaml': {
    misconception: 'a bracket is missing',
    says: 'prometheus.yml:',
    edits: [[TARGETS, "targets: ['127.0.0.1:8080'"]],
  },
  'one-target-without-a-list': {
    misconception: 'a target is no list',
    says: 'a list, with "- "',
    edits: [[TARGETS, 'targets: 127.0.0.1:8080']],
  },
  'prometheus-itself': {
    misconception: 'copies the example, in which Prometheus asks itself',
    says: 'knows nothing of the proxy',
    edits: [target('localhost:9090')],
  },
  'quic-is-encrypted': {
    misconception: 'believes that the API is encrypted because QUIC is',
    says: 'speaks plain HTTP',
    edits: [inJob('scheme: https')],
  },
  'the-port-of-quic': {
    misconception: 'lets Prometheus ask at the port of the tunnel',
    says: 'UDP port on which the proxy speaks QUIC',
    edits: [target('127.0.0.1:4433')],
  },
  'timeout-beyond-the-interval': {
    misconception: 'a timeout that outlasts the interval',
    says: 'over before the next one begins',
    edits: [
      [
        'scrape_interval: 5s',
        `scrape_interval: 5s
  scrape_timeout: 10s`,
      ],
    ],
  },
  'too-often': {
    misconception: 'asks as often as it can',
    says: 'a few milliseconds',
    edits: [['scrape_interval: 5s', 'scrape_interval: 100ms']],
  },
})
