package peer;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The conversation with `npm run test:interop`: one JSON command a line on standard input, one JSON answer a line.
 *
 * {"list": true}                                            → {"cases": [...]}
 * {"run": NAME, "port": PORT, "ca": FILE, "token": TOKEN}   → {"ok": true} or {"ok": false, "expected", "found", "log"}
 */
public final class Main {
    private static final List<Case> CASES = Cases.all();

    private Main() {
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        // The libraries may print; nobody else may write where the answers go.
        System.setOut(System.err);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String name = text(line, "run");
            out.println(name == null ? list() : run(name, line));
        }
        System.exit(0); // threads of the libraries may still run
    }

    private static String list() {
        return CASES.stream().map(Main::describe).collect(Collectors.joining(",", "{\"cases\":[", "]}"));
    }

    private static String describe(Case each) {
        String fault = each.knownFault() == null ? "" : ",\"knownFault\":" + quoted(each.knownFault());
        String ours = each.proxy() == null ? "{}" : "{\"proxy\":" + quoted(each.proxy()) + "}";
        return "{\"role\":\"client\",\"name\":" + quoted(each.name()) + ",\"source\":" + quoted(each.source())
            + ",\"sends\":" + quoted(each.sends()) + ",\"expects\":" + quoted(each.expects()) + ",\"ours\":" + ours + fault + "}";
    }

    private static String run(String name, String line) {
        Case wanted = CASES.stream().filter(each -> each.name().equals(name)).findFirst().orElseThrow();
        Target target = null;
        try {
            target = new Target(Integer.parseInt(text(line, "port")), text(line, "ca"), text(line, "token"));
            wanted.run().run(target);
            return "{\"ok\":true}";
        } catch (Mismatch mismatch) {
            return failure(mismatch.expected, mismatch.found, target);
        } catch (Exception error) {
            StringWriter trace = new StringWriter();
            error.printStackTrace(new PrintWriter(trace));
            return failure(wanted.expects(), trace.toString().lines().limit(8).collect(Collectors.joining("\n")), target);
        } finally {
            if (target != null) {
                target.close();
            }
        }
    }

    private static String failure(String expected, String found, Target target) {
        List<String> log = target == null ? List.of() : target.log.lines();
        return "{\"ok\":false,\"expected\":" + quoted(expected) + ",\"found\":" + quoted(found) + ",\"log\":["
            + log.stream().map(Main::quoted).collect(Collectors.joining(",")) + "]}";
    }

    /** The value of a key of a flat object; names and paths of cases hold neither quotes nor backslashes. */
    private static String text(String json, String key) {
        Matcher matcher = Pattern.compile("\"" + key + "\":(?:\"([^\"]*)\"|(\\d+))").matcher(json);
        if (!matcher.find()) {
            return null;
        }
        return matcher.group(1) != null ? matcher.group(1) : matcher.group(2);
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}
