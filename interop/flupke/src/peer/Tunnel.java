package peer;

import java.io.IOException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import tech.kwik.flupke.HttpStream;
import tech.kwik.flupke.core.Capsule;
import tech.kwik.flupke.core.CapsuleProtocolStream;
import tech.kwik.flupke.core.GenericCapsule;
import tech.kwik.flupke.impl.CapsuleProtocolStreamImpl;

/** A tunnel whose packets travel in DATAGRAM capsules: flupke has no QUIC datagrams. */
final class Tunnel {
    private static final long WAIT_MS = 5000;

    /** What a capsule stream brings: a capsule, or its end. */
    private record Arrival(long type, byte[] value, String end) {
    }

    private final CapsuleProtocolStream capsules;
    private final HttpStream stream;
    private final Log log;
    private final BlockingQueue<Arrival> arrivals = new LinkedBlockingQueue<>();
    private final List<Arrival> passedOver = new ArrayList<>();
    private List<Wire.Entry> assigned = List.of();
    private int sequence;

    Tunnel(HttpStream stream, Log log) {
        this.stream = stream;
        this.capsules = new CapsuleProtocolStreamImpl(stream);
        this.log = log;
        Thread reader = new Thread(this::read, "capsules");
        reader.setDaemon(true);
        reader.start();
    }

    private void read() {
        try {
            while (true) {
                Capsule capsule = capsules.receive();
                if (!(capsule instanceof GenericCapsule)) {
                    arrivals.add(new Arrival(-1, null, "the end of the stream"));
                    return;
                }
                byte[] value = ((GenericCapsule) capsule).getData();
                log.add("got capsule " + capsule.getType() + " of " + value.length + " bytes");
                arrivals.add(new Arrival(capsule.getType(), value, null));
            }
        } catch (IOException | RuntimeException error) {
            log.add("no more capsules: " + error);
            arrivals.add(new Arrival(-1, null, error.toString()));
        }
    }

    void send(long type, byte[] value) throws IOException {
        log.add("sent capsule " + type + " of " + value.length + " bytes");
        capsules.send(new GenericCapsule(type, value));
    }

    /** The same for what the other side must not take: it may end the stream before all of it is written. `expectEnd` says how it did. */
    void sendForbidden(long type, byte[] value) {
        try {
            send(type, value);
        } catch (IOException error) {
            log.add("while it was sent: " + error);
        }
    }

    void sendPacket(int context, byte[] packet) throws IOException {
        byte[] id = Wire.varint(context);
        byte[] value = Arrays.copyOf(id, id.length + packet.length);
        System.arraycopy(packet, 0, value, id.length, packet.length);
        send(Wire.DATAGRAM, value);
    }

    /** The next capsule of this type; others are kept for later. */
    byte[] next(long type) throws Exception {
        for (Arrival arrival : passedOver) {
            if (arrival.type() == type) {
                passedOver.remove(arrival);
                return arrival.value();
            }
        }
        long deadline = System.nanoTime() + WAIT_MS * 1_000_000;
        while (true) {
            Arrival arrival = arrivals.poll(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
            if (arrival == null || arrival.end() != null) {
                throw new Mismatch("a capsule of type " + type, arrival == null ? "nothing within 5 s" : arrival.end());
            }
            if (arrival.type() == type) {
                return arrival.value();
            }
            passedOver.add(arrival);
        }
    }

    /** The other side must end the stream, by FIN or by a reset; says how. */
    String expectEnd() throws Exception {
        long deadline = System.nanoTime() + WAIT_MS * 1_000_000;
        while (true) {
            Arrival arrival = arrivals.poll(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
            if (arrival == null) {
                throw new Mismatch("the end of the stream", "nothing within 5 s");
            }
            if (arrival.end() != null) {
                return arrival.end();
            }
        }
    }

    /** ADDRESS_ASSIGN. */
    List<Wire.Entry> addresses() throws Exception {
        assigned = Wire.readEntries(next(Wire.ADDRESS_ASSIGN));
        return assigned;
    }

    List<Wire.Range> routes() throws Exception {
        return Wire.readRanges(next(Wire.ROUTE_ADVERTISEMENT));
    }

    /** Our address of the family of `target`. */
    InetAddress address(InetAddress target) throws Mismatch {
        for (Wire.Entry entry : assigned) {
            if (entry.address().getAddress().length == target.getAddress().length) {
                return entry.address();
            }
        }
        throw new Mismatch("an address of the family of " + target.getHostAddress(), assigned.toString());
    }

    /** An echo request in a DATAGRAM capsule, and its reply in another. */
    Packets.Seen ping(String target, int size) throws Exception {
        InetAddress to = InetAddress.getByName(target);
        int number = ++sequence;
        sendPacket(0, Packets.echoRequest(address(to), to, number, size));
        return reply(number, size);
    }

    /** The reply to the echo request with this number. */
    Packets.Seen reply(int number, int size) throws Exception {
        while (true) {
            byte[] value = next(Wire.DATAGRAM);
            Mismatch.expect("the context", value[0], (byte) 0);
            Packets.Seen seen = Packets.read(Arrays.copyOfRange(value, 1, value.length));
            if (seen.isEchoReply() && seen.sequence() == number) {
                byte[] data = new byte[size];
                for (int i = 0; i < size; i++) {
                    data[i] = (byte) i;
                }
                Mismatch.expect("the same bytes came back", Arrays.equals(seen.data(), data), true);
                return seen;
            }
            log.add("passed over " + seen);
        }
    }

    void end() throws IOException {
        capsules.close();
    }

    void close() {
        try {
            stream.resetStream(0x10C);
        } catch (RuntimeException error) {
            log.add("closing: " + error);
        }
    }
}
