import { clientSuite } from '../harness/case-suite.ts'
import { pythonProgram } from '../harness/python.ts'

const program = pythonProgram('aioquic')

clientSuite('aioquic, a client of our proxy', program, await program.list())
