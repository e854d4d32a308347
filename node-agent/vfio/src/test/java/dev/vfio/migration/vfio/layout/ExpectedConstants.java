package dev.vfio.migration.vfio.layout;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Expressions of C and the values that a compiler has to give them. */
public final class ExpectedConstants {
  private final Map<String, Long> values = new LinkedHashMap<>();

  public void add(String expression, long value) {
    values.put(expression, value);
  }

  /**
   * Compiles all expressions and compares their values.
   *
   * @param preamble includes and declarations
   */
  public void hold(Path folder, String preamble) throws IOException, InterruptedException {
    assertThat(CompiledConstants.evaluate(folder, List.of(), preamble, values.keySet(), Map.of()))
        .isEqualTo(values);
  }
}
