package peer;

/**
 * A case as data, and what it does. `proxy` is how masque-lab's proxy is to be set up, or null; `knownFault` is what flupke is known
 * to do wrong, so that the case must fail, or null.
 */
record Case(String name, String source, String sends, String expects, String proxy, String knownFault, Body run) {
    interface Body {
        void run(Target target) throws Exception;
    }

    Case(String name, String source, String sends, String expects, Body run) {
        this(name, source, sends, expects, null, null, run);
    }
}
