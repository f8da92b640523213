import { clientSuite } from '../harness/case-suite.ts'
import { javaProgram } from '../harness/java.ts'

const program = javaProgram('flupke')

clientSuite('flupke, a client of our proxy', program, await program.list())
