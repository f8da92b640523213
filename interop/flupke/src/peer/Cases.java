package peer;

import static peer.Mismatch.expect;

import java.net.InetAddress;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import tech.kwik.flupke.HttpError;

/** flupke as a client of masque-lab's proxy. */
final class Cases {
    private static final String GATEWAY_V4 = "10.89.0.1";
    private static final String GATEWAY_V6 = "fd00:89::1";
    private static final String HOST_V4 = "10.90.0.1";
    private static final String HOST_V6 = "fd00:90::1";

    private Cases() {
    }

    static List<Case> all() {
        List<Case> cases = new ArrayList<>();
        cases.add(new Case(
            "H3-08 gets a small page for GET",
            "RFC 9114 §4.1",
            "GET /",
            "200 with content of the announced length",
            target -> {
                HttpResponse<byte[]> response = target.send(target.request("/").GET().build());
                expect("the status", response.statusCode(), 200);
                expect("Content-Length", response.headers().firstValueAsLong("content-length").orElse(-1), (long) response.body().length);
            }));
        cases.add(new Case(
            "H3-08 says 404 for a page that does not exist",
            "RFC 9110 §15.5.5",
            "GET /nothing",
            "404",
            target -> expect("the status", target.send(target.request("/nothing").GET().build()).statusCode(), 404)));
        cases.add(new Case(
            "H3-08 says 405 for POST of 20000 bytes",
            "RFC 9110 §15.5.6",
            "POST with 20000 bytes",
            "405 with Allow; the next request of the connection is answered",
            target -> {
                HttpRequest post = target.request("/").POST(HttpRequest.BodyPublishers.ofByteArray(new byte[20_000])).build();
                HttpResponse<byte[]> response = target.send(post);
                expect("the status", response.statusCode(), 405);
                expect("Allow is there", response.headers().firstValue("allow").isPresent(), true);
                expect("the next status", target.send(target.request("/").GET().build()).statusCode(), 200);
            }));
        cases.add(new Case(
            "H3-04 takes a header field of 8000 bytes",
            "RFC 9114 §4.2.2",
            "GET with a large field",
            "200",
            target -> expect("the status", target.send(target.request("/").header("x-large", "v".repeat(8000)).build()).statusCode(), 200)));
        cases.add(new Case(
            "CIP-06 CIP-19 opens a tunnel and gets addresses unprompted",
            "RFC 9484 §4.5, §4.7.1",
            "Extended CONNECT for connect-ip, without datagrams",
            "ADDRESS_ASSIGN with one address a family under id 0, ROUTE_ADVERTISEMENT",
            target -> {
                Tunnel tunnel = target.tunnel();
                expect("assigned", tunnel.addresses().toString(), "[0 10.89.0.2/32, 0 fd00:89:0:0:0:0:0:2/128]");
                expect("the number of routes", tunnel.routes().size(), 4);
            }));
        for (String address : List.of(GATEWAY_V4, GATEWAY_V6, HOST_V4, HOST_V6)) {
            int ttl = Set.of(GATEWAY_V4, GATEWAY_V6).contains(address) ? 64 : 63;
            cases.add(new Case(
                "CIP-23 pings " + address + " in DATAGRAM capsules",
                "RFC 9297 §3.5, RFC 9484 §6",
                "echo requests of 0 to 1232 bytes",
                "echo replies with the same bytes and a TTL of " + ttl,
                target -> {
                    Tunnel tunnel = target.tunnel();
                    tunnel.addresses();
                    for (int size : new int[] {0, 56, 512, 1000, 1232}) {
                        expect("TTL", tunnel.ping(address, size).ttl(), ttl);
                    }
                }));
        }
        cases.add(new Case(
            "CIP-23 loses none of 300 pings in DATAGRAM capsules",
            "RFC 9297 §3.5",
            "300 echo requests of 1000 bytes at once",
            "300 echo replies",
            target -> {
                Tunnel tunnel = target.tunnel();
                tunnel.addresses();
                InetAddress to = InetAddress.getByName(HOST_V6);
                for (int i = 1; i <= 300; i++) {
                    tunnel.sendPacket(0, Packets.echoRequest(tunnel.address(to), to, i, 1000));
                }
                for (int i = 1; i <= 300; i++) {
                    tunnel.reply(i, 1000);
                }
            }));
        cases.add(new Case(
            "CIP-22 drops DATAGRAM capsules of contexts that it does not know",
            "RFC 9484 §5, RFC 9297 §3.5",
            "an echo request in context 2",
            "no answer to it, and the tunnel works",
            target -> {
                Tunnel tunnel = target.tunnel();
                tunnel.addresses();
                InetAddress to = InetAddress.getByName(GATEWAY_V4);
                tunnel.sendPacket(2, Packets.echoRequest(tunnel.address(to), to, 1000, 56));
                expect("the next reply", tunnel.ping(GATEWAY_V4, 56).sequence(), 1);
            }));
        cases.add(new Case(
            "CIP-13 answers ADDRESS_REQUEST without preference with the addresses that it has assigned",
            "RFC 9484 §4.7.2",
            "ADDRESS_REQUEST with 0.0.0.0/32 as id 1 and ::/128 as id 2",
            "ADDRESS_ASSIGN with the ids",
            target -> {
                Tunnel tunnel = target.tunnel();
                tunnel.addresses();
                Wire.Entry four = new Wire.Entry(1, InetAddress.getByName("0.0.0.0"), 32);
                Wire.Entry six = new Wire.Entry(2, InetAddress.getByName("::"), 128);
                tunnel.send(Wire.ADDRESS_REQUEST, Wire.entries(four, six));
                expect("assigned", tunnel.addresses().toString(), "[1 10.89.0.2/32, 2 fd00:89:0:0:0:0:0:2/128]");
            }));
        cases.add(new Case(
            "CIP-16 skips capsules of unknown types",
            "RFC 9297 §3.2, §5.4",
            "reserved and unknown capsules, one of 100 000 bytes",
            "the tunnel works",
            target -> {
                Tunnel tunnel = target.tunnel();
                tunnel.addresses();
                tunnel.send(0x17, new byte[0]);
                tunnel.send(0x29 * 5 + 0x17, new byte[100_000]);
                tunnel.send(0x1ACE79EC, new byte[] {1});
                tunnel.ping(GATEWAY_V4, 56);
            }));
        cases.add(new Case(
            "CIP-15 aborts the stream for ADDRESS_ASSIGN with IP version 5, and carries another tunnel on the same connection",
            "RFC 9484 §4.7.1, RFC 9297 §3.3",
            "the capsule, then another request",
            "a reset; a tunnel that works",
            target -> {
                Tunnel tunnel = target.tunnel();
                tunnel.addresses();
                tunnel.sendForbidden(Wire.ADDRESS_ASSIGN, new byte[] {1, 5, 10, 0, 0, 1, 32});
                String how = tunnel.expectEnd();
                expect("the stream is reset: " + how, how.toLowerCase().contains("reset"), true);
                Tunnel next = target.tunnel();
                next.addresses();
                next.ping(GATEWAY_V4, 56);
            }));
        cases.add(new Case(
            "CIP-27 advertises and forwards inside the scope of a target",
            "RFC 9484 §4.6",
            "the target 10.90.0.1",
            "a route to it and no other, a reply from it",
            target -> {
                Tunnel tunnel = target.tunnel("/.well-known/masque/ip/10.90.0.1/*/", true);
                tunnel.addresses();
                expect("routes", tunnel.routes().toString(), "[10.90.0.1-10.90.0.1 0]");
                tunnel.ping(HOST_V4, 56);
            }));
        cases.add(new Case(
            "CIP-02 CIP-03 takes the scope 10.90.0.0%2F24/*",
            "RFC 9484 §4.6, RFC 9114 §4.3.1",
            "the path /.well-known/masque/ip/10.90.0.0%2F24/*/",
            "200",
            null,
            "flupke 0.9.4 undoes the percent-encoding of a path before it sends it, so that %2F becomes /",
            target -> target.tunnel("/.well-known/masque/ip/10.90.0.0%2F24/*/", true).addresses()));
        cases.add(new Case(
            "CIP-11 ends its half after the client has ended its own",
            "RFC 9484 §4.1",
            "FIN",
            "FIN",
            target -> {
                Tunnel tunnel = target.tunnel();
                tunnel.addresses();
                tunnel.ping(GATEWAY_V6, 56);
                tunnel.end();
                tunnel.expectEnd();
            }));
        cases.add(new Case(
            "CIP-11 carries two tunnels on one connection, each with addresses of its own",
            "RFC 9484 §4",
            "two requests",
            "tunnels that both work",
            target -> {
                Tunnel first = target.tunnel();
                Tunnel second = target.tunnel();
                expect("the addresses differ", first.addresses().equals(second.addresses()), false);
                first.ping(HOST_V4, 56);
                second.ping(HOST_V4, 56);
            }));
        cases.add(new Case(
            "CIP-08 says 404 for a path that is not its template",
            "RFC 9484 §4.3",
            "CONNECT-IP for /somewhere/else/",
            "404",
            target -> expect("the status", refusal(() -> target.tunnel("/somewhere/else/", true)), 404)));
        cases.add(new Case(
            "CIP-08 says 401 without the bearer token, and 200 with it",
            "RFC 9110 §11.6.1",
            "requests without and with the token",
            "401, then a tunnel",
            "token",
            null,
            target -> {
                expect("the status", refusal(() -> target.tunnel(Target.EVERYTHING, false)), 401);
                target.tunnel().addresses();
            }));
        cases.add(new Case(
            "accepts a client that it makes prove its address first",
            "RFC 9000 §8.1.2",
            "the token of the Retry packet",
            "a tunnel that works",
            "retry",
            null,
            target -> {
                Tunnel tunnel = target.tunnel();
                tunnel.addresses();
                tunnel.ping(GATEWAY_V4, 56);
            }));
        return cases;
    }

    private interface Attempt {
        Object make() throws Exception;
    }

    /** The status with which a request for a tunnel is refused. */
    private static Integer refusal(Attempt attempt) throws Exception {
        try {
            attempt.make();
        } catch (HttpError error) {
            return error.getStatusCode();
        }
        throw new Mismatch("a refusal", "a tunnel");
    }
}
