package peer;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import tech.kwik.core.log.BaseLogger;

/** What a case did and the packets that kwik sent and received, for a failure: the latest lines of it. */
final class Log extends BaseLogger {
    private static final int LINES = 60;

    private final Deque<String> lines = new ArrayDeque<>();

    Log() {
        logPackets(true);
        logInfo(true);
        logWarning(true);
    }

    synchronized void add(String line) {
        lines.add(line);
        if (lines.size() > LINES) {
            lines.remove();
        }
    }

    synchronized List<String> lines() {
        return List.copyOf(lines);
    }

    @Override
    protected void log(String message) {
        add(message);
    }

    @Override
    protected void log(String message, Throwable error) {
        add(message + ": " + error);
    }

    @Override
    protected void logWithHexDump(String message, byte[] data, int length) {
        add(message);
    }

    @Override
    protected void logWithHexDump(String message, ByteBuffer data, int offset, int length) {
        add(message);
    }
}
