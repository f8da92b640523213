import { proxySuite } from '../harness/case-suite.ts'
import { pythonProgram } from '../harness/python.ts'

const program = pythonProgram('aioquic')

proxySuite('aioquic, a proxy of our client', program, await program.list())
