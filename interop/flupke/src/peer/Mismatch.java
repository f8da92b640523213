package peer;

import java.util.Objects;

/** masque-lab did something else than it should. */
final class Mismatch extends Exception {
    final String expected;
    final String found;

    Mismatch(String expected, String found) {
        super("expected " + expected + "; found " + found);
        this.expected = expected;
        this.found = found;
    }

    static void expect(String what, Object found, Object expected) throws Mismatch {
        if (!Objects.equals(found, expected)) {
            throw new Mismatch(what + ": " + expected, String.valueOf(found));
        }
    }
}
