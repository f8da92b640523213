package peer;

import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Capsules of CONNECT-IP, byte by byte (RFC 9484 §4.7, RFC 9297 §3.5). */
final class Wire {
    static final long DATAGRAM = 0;
    static final long ADDRESS_ASSIGN = 1;
    static final long ADDRESS_REQUEST = 2;
    static final long ROUTE_ADVERTISEMENT = 3;

    /** An assigned or requested address. */
    record Entry(long requestId, InetAddress address, int prefixLength) {
        @Override
        public String toString() {
            return requestId + " " + address.getHostAddress() + "/" + prefixLength;
        }
    }

    /** A range of an advertised route. */
    record Range(InetAddress start, InetAddress end, int protocol) {
        @Override
        public String toString() {
            return start.getHostAddress() + "-" + end.getHostAddress() + " " + protocol;
        }
    }

    private Wire() {
    }

    /** RFC 9000 §16. */
    static byte[] varint(long value) {
        if (value < 1L << 6) {
            return new byte[] {(byte) value};
        }
        if (value < 1L << 14) {
            return ByteBuffer.allocate(2).putShort((short) (value | 0x4000)).array();
        }
        if (value < 1L << 30) {
            return ByteBuffer.allocate(4).putInt((int) (value | 0x8000_0000L)).array();
        }
        return ByteBuffer.allocate(8).putLong(value | 0xC000_0000_0000_0000L).array();
    }

    static long readVarint(ByteBuffer from) {
        int first = from.get() & 0xFF;
        long value = first & 0x3F;
        for (int left = (1 << (first >> 6)) - 1; left > 0; left--) {
            value = value << 8 | from.get() & 0xFF;
        }
        return value;
    }

    /** The value of ADDRESS_REQUEST or ADDRESS_ASSIGN. */
    static byte[] entries(Entry... entries) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (Entry entry : entries) {
            byte[] address = entry.address().getAddress();
            out.writeBytes(varint(entry.requestId()));
            out.write(address.length == 4 ? 4 : 6);
            out.writeBytes(address);
            out.write(entry.prefixLength());
        }
        return out.toByteArray();
    }

    static List<Entry> readEntries(byte[] value) throws UnknownHostException {
        List<Entry> found = new ArrayList<>();
        ByteBuffer from = ByteBuffer.wrap(value);
        while (from.hasRemaining()) {
            long requestId = readVarint(from);
            InetAddress address = readAddress(from, from.get());
            found.add(new Entry(requestId, address, from.get() & 0xFF));
        }
        return found;
    }

    static List<Range> readRanges(byte[] value) throws UnknownHostException {
        List<Range> found = new ArrayList<>();
        ByteBuffer from = ByteBuffer.wrap(value);
        while (from.hasRemaining()) {
            int version = from.get();
            found.add(new Range(readAddress(from, version), readAddress(from, version), from.get() & 0xFF));
        }
        return found;
    }

    private static InetAddress readAddress(ByteBuffer from, int version) throws UnknownHostException {
        byte[] address = new byte[version == 4 ? 4 : 16];
        from.get(address);
        return InetAddress.getByAddress(address);
    }
}
