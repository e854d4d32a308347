package dev.vfio.migration.vfio.layout;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/** What a C compiler makes of a declaration: the judge over our offsets and constants. */
public final class CompiledConstants {
  private static final long SECONDS = 60;

  private CompiledConstants() {}

  /**
   * Compiles and runs a program that prints the value of each expression.
   *
   * @param includes folders to look for headers in before the compiler's own
   * @param preamble includes and declarations
   * @param needs by expression, the macro without which headers are too old for it
   */
  public static Map<String, Long> evaluate(
      Path folder,
      List<Path> includes,
      String preamble,
      Set<String> expressions,
      Map<String, String> needs)
      throws IOException, InterruptedException {
    Assumptions.assumeTrue(
        compilerAnswers(),
        "skipped: there is no C compiler named cc (on Debian: apt-get install gcc libc6-dev)");
    StringBuilder source = new StringBuilder(preamble);
    source.append("\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n");
    expressions.forEach(
        expression -> {
          String needed = needs.get(expression);
          source.append(needed == null ? "" : "#ifdef " + needed + "\n");
          source
              .append("  printf(\"%s %lld\\n\", \"")
              .append(expression)
              .append("\", (long long)(")
              .append(expression)
              .append("));\n")
              .append(needed == null ? "" : "#endif\n");
        });
    source.append("  return 0;\n}\n");
    Path file = Files.writeString(folder.resolve("constants.c"), source);
    Path program = folder.resolve("constants");
    List<String> command = new ArrayList<>(List.of("cc", "-std=gnu11"));
    includes.forEach(include -> command.addAll(List.of("-I", include.toString())));
    command.addAll(List.of("-o", program.toString(), file.toString()));
    run(folder, command.toArray(String[]::new));
    Map<String, Long> values = new LinkedHashMap<>();
    for (String line : run(folder, program.toString()).split("\n")) {
      int blank = line.lastIndexOf(' ');
      values.put(line.substring(0, blank), Long.valueOf(line.substring(blank + 1)));
    }
    return values;
  }

  private static boolean compilerAnswers() throws InterruptedException {
    try {
      Process process =
          new ProcessBuilder("cc", "--version")
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      return process.waitFor(SECONDS, TimeUnit.SECONDS) && process.exitValue() == 0;
    } catch (IOException missing) {
      return false;
    }
  }

  private static String run(Path folder, String... command)
      throws IOException, InterruptedException {
    Path output = folder.resolve("output.txt");
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    assertThat(process.waitFor(SECONDS, TimeUnit.SECONDS)).as("%s ended", command[0]).isTrue();
    String text = Files.readString(output);
    assertThat(process.exitValue()).as("%s: %s", command[0], text).isZero();
    return text;
  }
}
