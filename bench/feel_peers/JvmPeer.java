import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.camunda.feel.api.EvaluationResult;
import org.camunda.feel.api.FeelEngineApi;
import org.camunda.feel.api.FeelEngineBuilder;
import org.camunda.feel.context.Context;
import org.camunda.feel.context.CustomContext;
import org.camunda.feel.context.VariableProvider;
import org.camunda.feel.syntaxtree.ParsedExpression;
import scala.Option;
import scala.collection.Iterable;
import scala.jdk.javaapi.CollectionConverters;

/**
 * The peer on the JVM. Its first line is the variables: JSON is read as the FEEL that it also is.
 * Every further one is seconds, a tab and an expression, and gives the microseconds of one
 * evaluation of the expression, parsed once, a tab and its value as JSON.
 */
public final class JvmPeer {
  private static final int BATCH = 100;
  private static final ThreadMXBean THREAD = ManagementFactory.getThreadMXBean();
  static Object kept;

  private final FeelEngineApi engine = FeelEngineBuilder.forJava().build();
  private final Map<String, ParsedExpression> parsed = new HashMap<>();
  private Context variables = new Variables(Map.of());

  /** Variables that are looked up one by one, as Zeebe gives them: a plain map is copied whole. */
  private static final class Variables extends CustomContext implements VariableProvider {
    private final Map<String, Object> values;

    Variables(Map<String, Object> values) {
      this.values = values;
    }

    @Override
    public VariableProvider variableProvider() {
      return this;
    }

    @Override
    public Option<Object> getVariable(String name) {
      return Option.apply(values.get(name));
    }

    @Override
    public Iterable<String> keys() {
      return CollectionConverters.asScala(values.keySet());
    }
  }

  public static void main(String[] arguments) throws Exception {
    JvmPeer peer = new JvmPeer();
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    peer.variables = new Variables(peer.contextOf(lines.readLine()));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      int at = line.indexOf('\t');
      double seconds = Double.parseDouble(line.substring(0, at));
      System.out.println(peer.measure(seconds, line.substring(at + 1)));
    }
  }

  @SuppressWarnings("unchecked")
  private Map<String, Object> contextOf(String json) {
    return (Map<String, Object>) engine.evaluateExpression(json, Map.<String, Object>of()).result();
  }

  private String measure(double seconds, String text) {
    ParsedExpression expression =
        parsed.computeIfAbsent(text, key -> engine.parseExpression(key).parsedExpression());
    EvaluationResult result = engine.evaluate(expression, variables);
    if (result.isFailure()) {
      throw new IllegalStateException(text + ": " + result.failure().message());
    }
    long start = THREAD.getCurrentThreadCpuTime();
    long end = start + (long) (seconds * 1e9);
    long count = 0;
    long now;
    do {
      for (int turn = 0; turn < BATCH; turn++) {
        kept = engine.evaluate(expression, variables);
      }
      count += BATCH;
      now = THREAD.getCurrentThreadCpuTime();
    } while (now < end);
    return (now - start) / 1e3 / count + "\t" + json(result.result());
  }

  private static String json(Object value) {
    if (value instanceof Map<?, ?> map) {
      return map.entrySet().stream()
          .map(entry -> json(entry.getKey()) + ":" + json(entry.getValue()))
          .collect(Collectors.joining(",", "{", "}"));
    }
    if (value instanceof List<?> list) {
      return list.stream().map(JvmPeer::json).collect(Collectors.joining(",", "[", "]"));
    }
    if (value == null || value instanceof Number || value instanceof Boolean) {
      return String.valueOf(value);
    }
    return '"' + value.toString().replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}
