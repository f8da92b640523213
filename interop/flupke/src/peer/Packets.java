package peer;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** ICMP echoes over IPv4 and IPv6 by hand (RFC 791, 792, 4443, 8200). */
final class Packets {
    private static final int ICMP = 1;
    private static final int ICMPV6 = 58;

    /** An echo reply, or any other packet: then `type` is what it is. */
    record Seen(InetAddress source, int ttl, int protocol, int type, int code, int sequence, byte[] data) {
        boolean isEchoReply() {
            return protocol == ICMP && type == 0 || protocol == ICMPV6 && type == 129;
        }
    }

    private Packets() {
    }

    static byte[] echoRequest(InetAddress source, InetAddress destination, int sequence, int size) {
        boolean six = source.getAddress().length == 16;
        ByteBuffer message = ByteBuffer.allocate(8 + size);
        message.put((byte) (six ? 128 : 8)).put((byte) 0).putShort((short) 0).putShort((short) 0x666C).putShort((short) sequence);
        for (int i = 0; i < size; i++) {
            message.put((byte) i);
        }
        ByteBuffer covered = ByteBuffer.allocate((six ? 40 : 0) + message.capacity());
        if (six) {
            covered.put(source.getAddress()).put(destination.getAddress()).putInt(message.capacity()).putInt(ICMPV6);
        }
        message.putShort(2, checksum(covered.put(message.array()).array()));

        ByteBuffer packet = ByteBuffer.allocate((six ? 40 : 20) + message.capacity());
        if (six) {
            packet.putInt(6 << 28).putShort((short) message.capacity()).put((byte) ICMPV6).put((byte) 64);
        } else {
            packet.put((byte) 0x45).put((byte) 0).putShort((short) packet.capacity()).putShort((short) 0);
            packet.putShort((short) 0x4000).put((byte) 64).put((byte) ICMP).putShort((short) 0);
        }
        packet.put(source.getAddress()).put(destination.getAddress()).put(message.array());
        if (!six) {
            packet.putShort(10, checksum(Arrays.copyOf(packet.array(), 20)));
        }
        return packet.array();
    }

    static Seen read(byte[] packet) throws java.net.UnknownHostException {
        boolean six = (packet[0] & 0xF0) == 0x60;
        byte[] source = six ? Arrays.copyOfRange(packet, 8, 24) : Arrays.copyOfRange(packet, 12, 16);
        int at = six ? 40 : (packet[0] & 0x0F) * 4;
        ByteBuffer message = ByteBuffer.wrap(packet, at, packet.length - at).slice();
        return new Seen(
            InetAddress.getByAddress(source),
            packet[six ? 7 : 8] & 0xFF,
            packet[six ? 6 : 9] & 0xFF,
            message.get(0) & 0xFF,
            message.get(1) & 0xFF,
            message.getShort(6) & 0xFFFF,
            Arrays.copyOfRange(packet, at + 8, packet.length));
    }

    /** RFC 1071. */
    private static short checksum(byte[] data) {
        int sum = 0;
        for (int i = 0; i < data.length; i++) {
            sum += (data[i] & 0xFF) << (i % 2 == 0 ? 8 : 0);
        }
        while (sum >> 16 != 0) {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        return (short) ~sum;
    }
}
