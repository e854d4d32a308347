package dev.vfio.migration.operator.log;

import static org.assertj.core.api.Assertions.assertThat;

import io.quarkus.logging.LoggingFilter;
import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import org.jboss.logmanager.ExtLogRecord;
import org.jboss.logmanager.Level;
import org.jboss.logmanager.formatters.PatternFormatter;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A record of the operator's log, by its own filter and format, is one line of it. */
class OneLineRecordsTest {
  private static final String FORGED =
      "x\n2026-01-01T00:00:00.000Z INFO  all is well\r\u0085\u2028\u2029\u001b[2K\u202e\u0000";

  private final OneLineRecords filter = new OneLineRecords();
  private final Properties configuration = new Properties();

  @BeforeEach
  void read() throws IOException {
    try (InputStream properties =
        getClass().getClassLoader().getResourceAsStream("application.properties")) {
      configuration.load(properties);
    }
  }

  private String written(ExtLogRecord record) {
    assertThat(filter.isLoggable(record)).isTrue();
    return new PatternFormatter(configuration.getProperty("quarkus.log.console.format"))
        .format(record);
  }

  private static ExtLogRecord record(String format, Object... parameters) {
    ExtLogRecord record =
        new ExtLogRecord(Level.WARN, format, ExtLogRecord.FormatStyle.PRINTF, "operator");
    record.setParameters(parameters);
    return record;
  }

  @Test
  void theConsoleIsConfiguredToUseIt() {
    assertThat(configuration.getProperty("quarkus.log.console.filter"))
        .isEqualTo(OneLineRecords.class.getAnnotation(LoggingFilter.class).name());
  }

  @Test
  void whatAnAgentSaysForgesNoLine() {
    ExtLogRecord record = record("Agent of node %s cannot be reached: %s", "node-a", FORGED);
    record.putMdc("migration", "default/" + FORGED);
    assertThat(written(record))
        .matches("20[^\\p{Cc}\u2028\u2029\u202e]*\n")
        .contains("cannot be reached: x\\n2026-01-01")
        .contains("migration=default/x\\n2026-01-01");
  }

  @Test
  void whatWasMadeOneLineStaysAsItIs() {
    ExtLogRecord record = record("%s", FORGED);
    String once = written(record);
    assertThat(written(record)).isEqualTo(once);
  }

  @Test
  void anExceptionsMessageForgesNoLineAndItsTraceStays() {
    Exception inner = new IllegalStateException("inner " + FORGED);
    Exception outer = new IllegalStateException("outer " + FORGED, inner);
    inner.addSuppressed(outer);
    ExtLogRecord record = record("trouble");
    record.setThrown(outer);
    String written = written(record);
    assertThat(written.lines()).noneMatch(line -> line.startsWith("2026-01-01"));
    assertThat(written)
        .doesNotContain("\u001b", "\r", "\u2028", "\u202e", "\u0000")
        .contains("java.lang.IllegalStateException: outer x\\n2026")
        .contains("Caused by: java.lang.IllegalStateException: inner x\\n2026")
        .contains("\tat " + getClass().getName());
  }
}
