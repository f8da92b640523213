package peer;

import java.io.InputStream;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import tech.kwik.flupke.Http3Client;
import tech.kwik.flupke.Http3ClientBuilder;
import tech.kwik.flupke.HttpStream;

/** masque-lab's proxy, as a case sees it. */
final class Target {
    static final String EVERYTHING = "/.well-known/masque/ip/*/*/";
    private static final Duration TIMEOUT = Duration.ofSeconds(5);
    private static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(2);
    private static final int HANDSHAKES = 4;

    final Log log = new Log();
    private final String authority;
    private final String token;
    private final X509TrustManager trust;
    private Http3Client client;
    private final List<Tunnel> tunnels = new ArrayList<>();

    Target(int port, String ca, String token) throws Exception {
        // agent15 looks for names in certificates, and not for IP addresses.
        this.authority = "localhost:" + port;
        this.token = token;
        this.trust = trusting(ca);
        this.client = newClient();
    }

    private Http3Client newClient() {
        // The builder's methods return the general type of the JDK.
        Http3ClientBuilder builder = (Http3ClientBuilder) new Http3ClientBuilder().connectTimeout(HANDSHAKE_TIMEOUT);
        builder.localAddress(InetAddress.getLoopbackAddress());
        return (Http3Client) builder.trustManager(trust).logger(log).build();
    }

    private static X509TrustManager trusting(String ca) throws Exception {
        Certificate certificate;
        try (InputStream in = Files.newInputStream(Path.of(ca))) {
            certificate = CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        store.setCertificateEntry("ca", certificate);
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        for (TrustManager manager : factory.getTrustManagers()) {
            if (manager instanceof X509TrustManager found) {
                return new OfAnyKey(found);
            }
        }
        throw new IllegalStateException("no trust manager for X.509");
    }

    /** agent15, kwik's TLS, says of every certificate that its key is an RSA key; those of masque-lab are elliptic curves. */
    private record OfAnyKey(X509TrustManager manager) implements X509TrustManager {
        @Override
        public void checkServerTrusted(X509Certificate[] chain, String keyType) throws CertificateException {
            manager.checkServerTrusted(chain, "UNKNOWN");
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String keyType) throws CertificateException {
            manager.checkClientTrusted(chain, "UNKNOWN");
        }

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return manager.getAcceptedIssuers();
        }
    }

    HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create("https://" + authority + path)).timeout(TIMEOUT);
    }

    HttpResponse<byte[]> send(HttpRequest request) throws Exception {
        HttpResponse<byte[]> response = connected(() -> client.send(request, HttpResponse.BodyHandlers.ofByteArray()));
        log.add(request.method() + " " + request.uri() + ": " + response.statusCode() + " " + response.headers().map());
        return response;
    }

    private interface Attempt<T> {
        T make() throws Exception;
    }

    /**
     * kwik sometimes takes a ServerHello that comes within a millisecond, as it does on loopback, and never gets to keys: the
     * handshake then hangs, whatever is sent again. So it may be tried anew; nothing else is.
     */
    private <T> T connected(Attempt<T> attempt) throws Exception {
        for (int left = HANDSHAKES - 1;; left--) {
            try {
                return attempt.make();
            } catch (ConnectException error) {
                log.add("no connection: " + error.getMessage());
                if (left == 0 || !String.valueOf(error.getMessage()).contains("timed out")) {
                    throw error;
                }
                client = newClient();
            }
        }
    }

    /** A tunnel, on the connection that this client keeps; throws HttpError when it is refused. */
    Tunnel tunnel(String path, boolean withToken) throws Exception {
        HttpRequest.Builder request = request(path).header("capsule-protocol", "?1");
        if (withToken && token != null) {
            request.header("authorization", "Bearer " + token);
        }
        HttpStream stream = connected(() -> client.sendExtendedConnect(request.build(), "connect-ip", "https"));
        log.add("tunnel on stream " + stream.getStreamId());
        Tunnel tunnel = new Tunnel(stream, log);
        tunnels.add(tunnel);
        return tunnel;
    }

    Tunnel tunnel() throws Exception {
        return tunnel(EVERYTHING, true);
    }

    void close() {
        tunnels.forEach(Tunnel::close);
    }
}
