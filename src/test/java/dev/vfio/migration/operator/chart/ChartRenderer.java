package dev.vfio.migration.operator.chart;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Renders the chart in a process of its own. The templates look up Secrets in the cluster that the
 * environment variable KUBECONFIG names, and Helm reads that variable once, when it is loaded.
 *
 * <p>For use by one thread at a time.
 */
final class ChartRenderer implements AutoCloseable {

  private static final String END_OF_OUTPUT = "=== end of output";

  private final Process process;
  private final BufferedReader output;
  private final PrintStream input;

  ChartRenderer(Path kubeconfig) throws IOException {
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            classPath,
            ChartRenderer.class.getName());
    builder.environment().put("KUBECONFIG", kubeconfig.toString());
    builder.redirectError(ProcessBuilder.Redirect.INHERIT);
    process = builder.start();
    output =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    input = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
  }

  /**
   * @param values a YAML document in one line
   */
  RenderedObjects render(String values) {
    input.println(values);
    StringBuilder yaml = new StringBuilder();
    try {
      while (true) {
        String line = output.readLine();
        if (line == null) {
          throw new AssertionError("the renderer ended before its output did: " + yaml);
        }
        if (line.equals(END_OF_OUTPUT)) {
          return RenderedObjects.parse(yaml.toString());
        }
        yaml.append(line).append('\n');
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    input.close();
    process.destroy();
  }

  /** Reads documents of values, a line each, until its input ends. */
  public static void main(String[] arguments) throws IOException {
    PrintStream output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    BufferedReader input =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String values = input.readLine(); values != null; values = input.readLine()) {
      output.println(Chart.template(values));
      output.println(END_OF_OUTPUT);
    }
  }
}
